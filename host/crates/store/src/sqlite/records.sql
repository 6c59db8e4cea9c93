-- Records of jobs. What is searched for are digests; the record itself is in `value`.
CREATE TABLE record (
    id        INTEGER PRIMARY KEY,
    name      TEXT NOT NULL UNIQUE,
    created   INTEGER NOT NULL,
    status    INTEGER NOT NULL,
    percent   INTEGER NOT NULL,
    touched   INTEGER NOT NULL,
    over      INTEGER NOT NULL,
    owner     BLOB,
    batch     BLOB,
    partition TEXT,
    position  BLOB,
    value     BLOB NOT NULL
) STRICT;
CREATE INDEX record_created ON record (created, name);
CREATE INDEX record_status ON record (status, created, name);
CREATE INDEX record_owner ON record (owner, created, name) WHERE owner IS NOT NULL;
CREATE INDEX record_batch ON record (batch, created, name) WHERE batch IS NOT NULL;
CREATE INDEX record_settling ON record (partition, position) WHERE partition IS NOT NULL;
CREATE INDEX record_unfinished ON record (touched) WHERE NOT over;
CREATE INDEX record_over ON record (touched) WHERE over;
CREATE TABLE attribute (
    digest  BLOB NOT NULL,
    created INTEGER NOT NULL,
    name    TEXT NOT NULL,
    record  INTEGER NOT NULL,
    PRIMARY KEY (digest, created, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX attribute_record ON attribute (record);
CREATE TABLE once (
    key     BLOB NOT NULL PRIMARY KEY,
    record  INTEGER NOT NULL,
    request BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX once_record ON once (record);
CREATE TABLE moment (
    record INTEGER NOT NULL,
    run    INTEGER NOT NULL,
    number INTEGER NOT NULL,
    value  BLOB NOT NULL,
    PRIMARY KEY (record, run, number)
) STRICT, WITHOUT ROWID;
-- Numbers are never used again: hosts ask for what is after the last one they have seen.
CREATE TABLE act (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    record INTEGER NOT NULL,
    name   TEXT NOT NULL,
    run    INTEGER NOT NULL
) STRICT;
CREATE INDEX act_record ON act (record);
CREATE TABLE delivery (
    record INTEGER NOT NULL,
    run    INTEGER NOT NULL,
    url    TEXT NOT NULL,
    tries  INTEGER NOT NULL,
    tried  INTEGER,
    status INTEGER,
    error  TEXT,
    due    INTEGER,
    leased INTEGER,
    PRIMARY KEY (record, run)
) STRICT;
CREATE INDEX delivery_due ON delivery (due) WHERE due IS NOT NULL;
