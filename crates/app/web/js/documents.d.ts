// Made from the schema and web/queries; a test says when it has to be made anew.

export interface Operations {
  AddChat: { variables: { users: (number)[] }; data: { addChat: { createdAt: string; id: number; lastMessage: { createdAt: string; id: number; text: string; user: { id: number } } | null; unread: number; users: ({ avatar: string | null; id: number; username: string })[] } } };
  AddMessage: { variables: { chatId: number; text: string; key?: string | null }; data: { addMessage: { createdAt: string; id: number; text: string; user: { avatar: string | null; id: number; username: string } } } };
  AddPost: { variables: { text: string; key?: string | null }; data: { addPost: { createdAt: string; id: number; text: string; user: { avatar: string | null; id: number; username: string } } } };
  ChangePassword: { variables: { currentPassword: string; newPassword: string }; data: { changePassword: { __typename: "Auth" } } };
  Chat: { variables: { chatId: number; before?: number | null; frame?: boolean | null }; data: { chat: { createdAt: string; id: number; messages: ({ createdAt: string; id: number; text: string; user: { avatar: string | null; id: number; username: string } })[]; users: ({ avatar: string | null; id: number; username: string })[] } | null; chats?: ({ createdAt: string; id: number; lastMessage: { createdAt: string; id: number; text: string; user: { id: number } } | null; unread: number; users: ({ avatar: string | null; id: number; username: string })[] })[]; currentUser?: { avatar: string | null; id: number; username: string }; feed?: { edges: ({ node: { createdAt: string; id: number; text: string; user: { avatar: string | null; id: number; username: string } } })[]; pageInfo: { endCursor: string | null; hasNextPage: boolean } } } };
  DeletePost: { variables: { postId: number }; data: { deletePost: { success: boolean } } };
  Feed: { variables: { after?: string | null; frame?: boolean | null }; data: { chats?: ({ createdAt: string; id: number; lastMessage: { createdAt: string; id: number; text: string; user: { id: number } } | null; unread: number; users: ({ avatar: string | null; id: number; username: string })[] })[]; currentUser?: { avatar: string | null; id: number; username: string }; feed: { edges: ({ node: { createdAt: string; id: number; text: string; user: { avatar: string | null; id: number; username: string } } })[]; pageInfo: { endCursor: string | null; hasNextPage: boolean } } } };
  Frame: { variables: {  }; data: { chats: ({ createdAt: string; id: number; lastMessage: { createdAt: string; id: number; text: string; user: { id: number } } | null; unread: number; users: ({ avatar: string | null; id: number; username: string })[] })[]; currentUser: { avatar: string | null; id: number; username: string } } };
  Latest: { variables: {  }; data: { chats: ({ lastMessage: { id: number } | null })[]; feed: { edges: ({ node: { id: number } })[] } } };
  Login: { variables: { email: string; password: string }; data: { login: { __typename: "Auth" } } };
  Logout: { variables: {  }; data: { logout: { success: boolean } } };
  LogoutEverywhere: { variables: {  }; data: { logoutEverywhere: { success: boolean } } };
  MarkRead: { variables: { chatId: number; messageId: number }; data: { markRead: { success: boolean } } };
  MessageAdded: { variables: {  }; data: { messageAdded: { chat: { id: number }; createdAt: string; id: number; text: string; user: { avatar: string | null; id: number; username: string } } } };
  PostAdded: { variables: {  }; data: { postAdded: { createdAt: string; id: number; text: string; user: { avatar: string | null; id: number; username: string } } } };
  Profile: { variables: { username: string; after?: string | null; frame?: boolean | null }; data: { chats?: ({ createdAt: string; id: number; lastMessage: { createdAt: string; id: number; text: string; user: { id: number } } | null; unread: number; users: ({ avatar: string | null; id: number; username: string })[] })[]; currentUser?: { avatar: string | null; id: number; username: string }; feed: { edges: ({ node: { createdAt: string; id: number; text: string; user: { avatar: string | null; id: number; username: string } } })[]; pageInfo: { endCursor: string | null; hasNextPage: boolean } }; user: { avatar: string | null; createdAt: string; id: number; username: string } | null } };
  Search: { variables: { text: string }; data: { usersSearch: { users: ({ avatar: string | null; id: number; username: string })[] } } };
  Signup: { variables: { username: string; email: string; password: string }; data: { signup: { __typename: "Auth" } } };
  UploadAvatar: { variables: { file: null }; data: { uploadAvatar: { url: string } } };
}

declare const operation: unique symbol;

/** A document of the API. */
export type Document<Name extends keyof Operations> = string & { readonly [operation]: Name };

export declare const AddChat: Document<"AddChat">;
export declare const AddMessage: Document<"AddMessage">;
export declare const AddPost: Document<"AddPost">;
export declare const ChangePassword: Document<"ChangePassword">;
export declare const Chat: Document<"Chat">;
export declare const DeletePost: Document<"DeletePost">;
export declare const Feed: Document<"Feed">;
export declare const Frame: Document<"Frame">;
export declare const Latest: Document<"Latest">;
export declare const Login: Document<"Login">;
export declare const Logout: Document<"Logout">;
export declare const LogoutEverywhere: Document<"LogoutEverywhere">;
export declare const MarkRead: Document<"MarkRead">;
export declare const MessageAdded: Document<"MessageAdded">;
export declare const PostAdded: Document<"PostAdded">;
export declare const Profile: Document<"Profile">;
export declare const Search: Document<"Search">;
export declare const Signup: Document<"Signup">;
export declare const UploadAvatar: Document<"UploadAvatar">;
