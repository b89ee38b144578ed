-- What a namespace may have of the engine, as MessagePack, and whether it is on its way out.
ALTER TABLE namespaces ADD COLUMN quota BLOB;
ALTER TABLE namespaces ADD COLUMN is_deleted INTEGER NOT NULL DEFAULT 0;
