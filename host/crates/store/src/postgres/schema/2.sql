-- Records of jobs. What is searched for are digests; the record itself is in `value`. Names are compared byte by byte, as
-- hosts do: that is the order of lists, and of locks.
CREATE TABLE gristmill.record (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline   text NOT NULL,
    name       text COLLATE "C" NOT NULL,
    created    bigint NOT NULL,
    status     smallint NOT NULL,
    percent    smallint NOT NULL,
    touched    timestamptz NOT NULL DEFAULT now(),
    is_over    boolean NOT NULL,
    owner      bytea,
    batch      bytea,
    settles_in text,
    settles_at bytea,
    value      bytea NOT NULL,
    UNIQUE (pipeline, name)
);
CREATE INDEX record_created ON gristmill.record (pipeline, created, name);
CREATE INDEX record_status ON gristmill.record (pipeline, status, created, name);
CREATE INDEX record_owner ON gristmill.record (pipeline, owner, created, name) WHERE owner IS NOT NULL;
CREATE INDEX record_batch ON gristmill.record (pipeline, batch, created, name) WHERE batch IS NOT NULL;
CREATE INDEX record_settling ON gristmill.record (pipeline, settles_in, settles_at) WHERE settles_in IS NOT NULL;
CREATE INDEX record_unfinished ON gristmill.record (pipeline, touched) WHERE NOT is_over;
CREATE INDEX record_over ON gristmill.record (pipeline, touched) WHERE is_over;

CREATE TABLE gristmill.attribute (
    pipeline text NOT NULL,
    digest   bytea NOT NULL,
    created  bigint NOT NULL,
    name     text COLLATE "C" NOT NULL,
    record   bigint NOT NULL,
    PRIMARY KEY (pipeline, digest, created, name)
);
CREATE INDEX attribute_record ON gristmill.attribute (record);

CREATE TABLE gristmill.once (
    pipeline text NOT NULL,
    key      bytea NOT NULL,
    record   bigint NOT NULL,
    request  bytea NOT NULL,
    PRIMARY KEY (pipeline, key)
);
CREATE INDEX once_record ON gristmill.once (record);

CREATE TABLE gristmill.moment (
    record bigint NOT NULL,
    run    bigint NOT NULL,
    number bigint NOT NULL,
    value  bytea NOT NULL,
    PRIMARY KEY (record, run, number)
);

-- Numbers are never used again: hosts ask for what is after the last one they have seen.
CREATE TABLE gristmill.act (
    pipeline text NOT NULL,
    number   bigint GENERATED ALWAYS AS IDENTITY,
    record   bigint NOT NULL,
    name     text NOT NULL,
    run      bigint NOT NULL,
    PRIMARY KEY (pipeline, number)
);
CREATE INDEX act_record ON gristmill.act (record);

CREATE TABLE gristmill.delivery (
    pipeline text NOT NULL,
    record   bigint NOT NULL,
    run      bigint NOT NULL,
    url      text NOT NULL,
    tries    bigint NOT NULL DEFAULT 0,
    tried    bigint,
    status   integer,
    error    text,
    due      bigint,
    leased   timestamptz,
    PRIMARY KEY (record, run)
);
CREATE INDEX delivery_due ON gristmill.delivery (pipeline, due) WHERE due IS NOT NULL;
