-- The first schema. Times are ns since 1970, 0 for "not so". Sizes matter: a run that does one thing is written in two
-- commits, and what they touch is the price of a workflow.

-- One row per shard; a single file is shard 0. The epoch fences: whoever takes the file raises it, every transaction
-- checks it. last_key is the highest run key that deleted runs ever had, so that keys are not given out twice;
-- indexed_key is the highest that workflow_ids covers.
CREATE TABLE shards (
    shard INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    last_key INTEGER NOT NULL,
    indexed_key INTEGER NOT NULL
);

CREATE TABLE namespaces (
    name TEXT PRIMARY KEY,
    retention_ns INTEGER NOT NULL,
    description TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE runs (
    key INTEGER PRIMARY KEY,
    namespace TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    workflow_type TEXT NOT NULL,
    task_queue TEXT NOT NULL,
    status INTEGER NOT NULL,
    start_time INTEGER NOT NULL,
    close_time INTEGER NOT NULL,
    history_length INTEGER NOT NULL,
    memo BLOB NOT NULL,
    search_attributes BLOB NOT NULL,
    parent BLOB NOT NULL
);
-- Serves lists by status, newest first, and finds what retention can delete, oldest first.
CREATE INDEX runs_by_status ON runs (namespace, status);

-- Runs by a hash of namespace and workflow id, for keys up to shards.indexed_key; see workflow_ids.py.
CREATE TABLE workflow_ids (
    hash INTEGER NOT NULL,
    key INTEGER NOT NULL,
    PRIMARY KEY (hash, key)
) WITHOUT ROWID;
CREATE TABLE workflow_id_filter (
    part INTEGER PRIMARY KEY,
    bits BLOB NOT NULL
);

-- One row per commit, in the order in which they came: thousands of runs that each take a step then fill the same few
-- pages. Were they ordered by run, each step would dirty a page of its own; measured, that is three times as much
-- work. id is key << 23 | number.
CREATE TABLE history (
    place INTEGER PRIMARY KEY,
    id INTEGER NOT NULL,
    records BLOB NOT NULL
);
CREATE UNIQUE INDEX history_by_run ON history (id);

CREATE TABLE tasks (
    key INTEGER NOT NULL,
    ref INTEGER NOT NULL,
    task_queue TEXT NOT NULL,
    type TEXT NOT NULL,
    started INTEGER NOT NULL,
    due INTEGER NOT NULL,
    PRIMARY KEY (key, ref)
) WITHOUT ROWID;

CREATE TABLE timers (
    due INTEGER NOT NULL,
    key INTEGER NOT NULL,
    ref INTEGER NOT NULL,
    PRIMARY KEY (due, key, ref)
) WITHOUT ROWID;
CREATE INDEX timers_by_key ON timers (key);

CREATE TABLE messages (
    key INTEGER NOT NULL,
    ref INTEGER NOT NULL,
    message BLOB NOT NULL,
    PRIMARY KEY (key, ref)
) WITHOUT ROWID;

CREATE TABLE blobs (
    digest BLOB PRIMARY KEY,
    data BLOB NOT NULL
);
CREATE TABLE blob_refs (
    key INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (key, digest)
) WITHOUT ROWID;
CREATE INDEX blob_refs_by_digest ON blob_refs (digest);

INSERT INTO shards VALUES (0, 0, 0, 0);
INSERT INTO namespaces VALUES ('default', 0, '');
