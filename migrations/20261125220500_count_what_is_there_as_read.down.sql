UPDATE chat_members SET read_up_to = 0 WHERE read_up_to <> 0;
