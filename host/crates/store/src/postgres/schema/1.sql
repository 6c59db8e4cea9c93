CREATE TABLE gristmill.version (number integer NOT NULL);
INSERT INTO gristmill.version VALUES (0);

CREATE TABLE gristmill.job (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline text NOT NULL,
    name     text NOT NULL,
    touched  timestamptz NOT NULL DEFAULT now(),
    ended    timestamptz,
    state    smallint,
    UNIQUE (pipeline, name)
);
CREATE INDEX job_unfinished ON gristmill.job (pipeline, touched) WHERE ended IS NULL;
CREATE INDEX job_ended ON gristmill.job (pipeline, ended) WHERE ended IS NOT NULL;

CREATE TABLE gristmill.kept (
    job   bigint NOT NULL,
    key   bytea NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (job, key)
);

CREATE TABLE gristmill.document (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline text NOT NULL,
    name     text NOT NULL,
    touched  timestamptz NOT NULL DEFAULT now(),
    last     bytea,
    begun    bytea,
    empty    boolean NOT NULL,
    UNIQUE (pipeline, name)
);
CREATE INDEX document_empty ON gristmill.document (pipeline, touched) WHERE empty;

CREATE TABLE gristmill.item (
    document   bigint NOT NULL,
    topic      text NOT NULL,
    name       text NOT NULL,
    generation bytea NOT NULL,
    PRIMARY KEY (document, topic, name)
);

CREATE TABLE gristmill.spent (
    pipeline     text NOT NULL,
    day          bigint NOT NULL,
    stage        text NOT NULL,
    alias        text NOT NULL,
    target       text NOT NULL,
    calls        bigint NOT NULL,
    input        bigint NOT NULL,
    cached_input bigint NOT NULL,
    output       bigint NOT NULL,
    nano_usd     bigint NOT NULL,
    unpriced     bigint NOT NULL,
    PRIMARY KEY (pipeline, day, stage, alias, target)
);

-- How far each host has added to what was spent: a host that does not know whether its last addition arrived asks here.
CREATE TABLE gristmill.writer (
    id    text PRIMARY KEY,
    added bigint NOT NULL,
    seen  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE gristmill.answer (
    pipeline text NOT NULL,
    key      bytea NOT NULL,
    expires  timestamptz NOT NULL,
    bytes    bigint NOT NULL,
    value    bytea NOT NULL,
    PRIMARY KEY (pipeline, key)
);
CREATE INDEX answer_expires ON gristmill.answer (pipeline, expires, bytes);

-- What hosts count together: see Meter in the crate gristmill-core, whose rule this is.
CREATE TABLE gristmill.counter (
    name    text PRIMARY KEY,
    used    double precision NOT NULL,
    at      double precision NOT NULL,
    expires timestamptz
);
CREATE INDEX counter_expires ON gristmill.counter (expires) WHERE expires IS NOT NULL;

-- What is used now, after what has become free meanwhile. Locks the counter until the end of the transaction.
CREATE FUNCTION gristmill.pass(which text, per_minute double precision, keep double precision)
RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE
    clock constant timestamptz := clock_timestamp();
    seconds constant double precision := extract(epoch FROM clock);
    result double precision;
BEGIN
    INSERT INTO gristmill.counter AS c VALUES (which, 0, seconds, clock + make_interval(secs => keep))
    ON CONFLICT (name) DO UPDATE SET
        used = CASE WHEN c.expires < clock THEN 0
                    ELSE greatest(c.used - greatest(seconds - c.at, 0) * per_minute / 60, 0) END,
        at = greatest(c.at, seconds),
        expires = clock + make_interval(secs => keep)
    RETURNING c.used INTO result;
    RETURN result;
END $$;

CREATE FUNCTION gristmill.take(
    which text, bound double precision, per_minute double precision, keep double precision,
    least_wanted double precision, most_wanted double precision, within double precision,
    OUT amount double precision, OUT after double precision, OUT now_used double precision
) LANGUAGE plpgsql AS $$
DECLARE
    free double precision;
BEGIN
    now_used := gristmill.pass(which, per_minute, keep);
    free := bound - now_used;
    after := 0;
    IF free + 1e-6 >= least_wanted THEN
        amount := least(greatest(floor(greatest(free, 0)), least_wanted), greatest(most_wanted, least_wanted));
    ELSE
        after := CASE WHEN per_minute > 0 THEN (least_wanted - free) * 60 / per_minute END;
        IF after <= within THEN
            amount := least_wanted;
        END IF;
    END IF;
    IF amount IS NOT NULL THEN
        UPDATE gristmill.counter SET used = used + amount WHERE name = which;
    END IF;
END $$;

CREATE FUNCTION gristmill.settle(
    which text, per_minute double precision, keep double precision, change double precision
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM gristmill.pass(which, per_minute, keep);
    UPDATE gristmill.counter SET used = greatest(used + change, 0) WHERE name = which;
END $$;

CREATE FUNCTION gristmill.raise(
    which text, per_minute double precision, keep double precision, at_least double precision
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM gristmill.pass(which, per_minute, keep);
    UPDATE gristmill.counter SET used = greatest(used, at_least) WHERE name = which;
END $$;
