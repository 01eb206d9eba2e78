-- A key that its sender gave a message, so that it is said once however often it is sent.
ALTER TABLE messages ADD COLUMN sender_key VARCHAR(64) NULL;
