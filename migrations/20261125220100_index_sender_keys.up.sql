-- migrate: allow=SQ06 reason="messages_user goes when no release needs it any more"
-- migrate: allow=BC08 reason="releases before this one never write a key"
CREATE UNIQUE INDEX messages_sender_key ON messages (user_id, sender_key);
