-- Small durable things that are no runs: tokens, webhooks, an audit log. Each kind belongs to whoever keeps it.
CREATE TABLE documents (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;
