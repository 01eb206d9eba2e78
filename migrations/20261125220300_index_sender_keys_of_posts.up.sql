-- migrate: allow=BC08 reason="releases before this one never write a key"
CREATE UNIQUE INDEX posts_sender_key ON posts (user_id, sender_key);
