-- What the server knows of the files that people send each other. Their bytes are not here (chatserver/files).

CREATE TABLE file (
    file_id         TEXT    NOT NULL PRIMARY KEY,
    conversation_id TEXT    NOT NULL REFERENCES conversation (conversation_id),
    owner           TEXT    NOT NULL REFERENCES account (user_id),
    size            BIGINT  NOT NULL,    -- bytes, encrypted
    sha256          TEXT    NOT NULL,    -- of the encrypted bytes, hex
    is_stored       INTEGER NOT NULL,    -- the bytes are there
    message_id      TEXT    NOT NULL,    -- that it belongs to, empty: to none yet
    created         BIGINT  NOT NULL
) WITHOUT ROWID;
CREATE INDEX file_message ON file (conversation_id, message_id);
CREATE INDEX file_unattached ON file (created) WHERE message_id = '';

-- Files whose bytes are still to be removed. A file is entered whichever way its row goes.
CREATE TABLE file_gone (
    file_id TEXT NOT NULL PRIMARY KEY
) WITHOUT ROWID;
CREATE TRIGGER file_deleted AFTER DELETE ON file BEGIN
    INSERT INTO file_gone (file_id) VALUES (OLD.file_id) ON CONFLICT (file_id) DO NOTHING;
END;

-- A file goes with its message: when that is deleted, and when it loses its content (it has expired, or its sender has
-- deleted it and only its place is kept).
CREATE TRIGGER message_deleted_files AFTER DELETE ON message BEGIN
    DELETE FROM file WHERE conversation_id = OLD.conversation_id AND message_id = OLD.message_id;
END;
CREATE TRIGGER message_emptied_files AFTER UPDATE OF data ON message WHEN NEW.data = '' AND OLD.data <> '' BEGIN
    DELETE FROM file WHERE conversation_id = OLD.conversation_id AND message_id = OLD.message_id;
END;
