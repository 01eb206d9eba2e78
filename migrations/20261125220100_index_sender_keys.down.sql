DROP INDEX messages_sender_key /*! ON messages */;
