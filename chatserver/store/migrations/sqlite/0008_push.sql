-- Web push: the browsers that are told of messages while nobody looks, and the server's own secrets.
CREATE TABLE push (
    station_id TEXT   NOT NULL PRIMARY KEY REFERENCES station (station_id) ON DELETE CASCADE,
    user_id    TEXT   NOT NULL REFERENCES account (user_id),
    endpoint   TEXT   NOT NULL UNIQUE,   -- https URL that takes messages for the browser
    p256dh     TEXT   NOT NULL,          -- the browser's public key
    auth       TEXT   NOT NULL,          -- and the secret that goes with it
    contact    TEXT   NOT NULL           -- https origin at which it subscribed, empty for none
) WITHOUT ROWID;
CREATE INDEX push_user ON push (user_id);

CREATE TABLE secret (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;
