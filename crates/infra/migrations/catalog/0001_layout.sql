-- The catalog: what is remembered between scans (design/catalog.md).

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO meta (name, value) VALUES ('layout', '1');
INSERT INTO meta (name, value) VALUES ('identity', lower(hex(randomblob(16))));

-- Descriptions by the digest of their JSON text.
CREATE TABLE descriptions (
    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
    json   TEXT NOT NULL
) STRICT;

-- Fingerprint parts that many rows share: config, packages, bundler. Source parts stand in the rows.
CREATE TABLE parts (
    digest  BLOB PRIMARY KEY CHECK (length(digest) = 32),
    encoded BLOB NOT NULL
) STRICT;

-- One row per source. `record` is the row; the columns around it are its key, its revision and what
-- indexes and people need. Paths are relative to their root.
CREATE TABLE sources (
    root        TEXT NOT NULL,
    path        TEXT NOT NULL CHECK (path NOT LIKE '/%'),
    revision    INTEGER NOT NULL CHECK (revision > 0),
    kind        TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN (
        'Indexed', 'BundleBuildFailed', 'ValidationFailed', 'EntryPointUnreadable', 'OrphanedBundleOnly'
    )),
    type_name   TEXT,
    resolvable  INTEGER NOT NULL CHECK (resolvable IN (0, 1)),
    description BLOB REFERENCES descriptions (digest),
    record      BLOB NOT NULL,
    PRIMARY KEY (root, path),
    CHECK ((state = 'Indexed') = (description IS NOT NULL)),
    CHECK (resolvable = 0 OR (state = 'Indexed' AND type_name IS NOT NULL))
) STRICT;

-- I2: one resolvable row per kind and type.
CREATE UNIQUE INDEX sources_resolvable ON sources (kind, type_name) WHERE resolvable = 1;

CREATE INDEX sources_description ON sources (description);

-- The last revision of rows that were deleted: a source that comes back goes on from there, so that a commit
-- planned on the old row cannot pass for one planned on the new row (I9).
CREATE TABLE departed (
    root     TEXT NOT NULL,
    path     TEXT NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (root, path)
) STRICT, WITHOUT ROWID;

-- The audit of state changes.
CREATE TABLE transitions (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    root         TEXT NOT NULL,
    path         TEXT NOT NULL,
    from_state   TEXT,
    to_state     TEXT NOT NULL,
    reason       TEXT NOT NULL,
    entry_digest BLOB,
    at_millis    INTEGER NOT NULL
) STRICT;

CREATE INDEX transitions_source ON transitions (root, path, id);

-- Remembered inspections; the oldest leave first.
CREATE TABLE inspections (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    key        BLOB NOT NULL UNIQUE CHECK (length(key) = 32),
    inspection BLOB NOT NULL
) STRICT;
