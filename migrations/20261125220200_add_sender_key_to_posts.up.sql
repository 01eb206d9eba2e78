-- A key that its sender gave a post, so that it is written once however often it is sent.
ALTER TABLE posts ADD COLUMN sender_key VARCHAR(64) NULL;
