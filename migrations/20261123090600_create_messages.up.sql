-- What is said in a chat, in the order of its ids.
CREATE TABLE messages (
    id INTEGER NOT NULL PRIMARY KEY /*! AUTO_INCREMENT */,
    chat_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    text TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT messages_chat FOREIGN KEY (chat_id) REFERENCES chats (id) ON DELETE CASCADE,
    CONSTRAINT messages_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) /*! ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;
CREATE INDEX messages_chat ON messages (chat_id, id);
CREATE INDEX messages_user ON messages (user_id);
