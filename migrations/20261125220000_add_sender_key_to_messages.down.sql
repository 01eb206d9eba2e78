ALTER TABLE messages DROP COLUMN sender_key;
