ALTER TABLE posts DROP COLUMN sender_key;
