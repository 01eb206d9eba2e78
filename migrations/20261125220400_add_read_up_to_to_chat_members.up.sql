-- The last message that a member has read; what is there already counts as read.
ALTER TABLE chat_members ADD COLUMN read_up_to INTEGER NOT NULL DEFAULT 0;
