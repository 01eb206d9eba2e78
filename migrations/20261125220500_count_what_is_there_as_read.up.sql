UPDATE chat_members
SET read_up_to = (SELECT COALESCE(MAX(m.id), 0) FROM messages m WHERE m.chat_id = chat_members.chat_id)
WHERE read_up_to = 0;
