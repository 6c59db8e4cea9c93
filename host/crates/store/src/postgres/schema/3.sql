-- What stages keep between items.
CREATE TABLE gristmill.state_space (
    pipeline text NOT NULL,
    stage    text NOT NULL,
    keys     bigint NOT NULL,
    bytes    bigint NOT NULL,
    version  bigint NOT NULL,
    PRIMARY KEY (pipeline, stage)
);

CREATE TABLE gristmill.state (
    pipeline text NOT NULL,
    stage    text NOT NULL,
    key      text COLLATE "C" NOT NULL,
    version  bigint NOT NULL,
    value    bytea NOT NULL,
    PRIMARY KEY (pipeline, stage, key)
);

-- Changes an entry, by the rule of Space in the crate gristmill-core. No value deletes it. Expected is nothing for anything, 0
-- for no entry, else its version. Returns true and the new version; false and the entry that is there; or nothing if there
-- is no room. The row of the stage is locked, so its writers follow one another.
CREATE FUNCTION gristmill.write_entry(
    of_pipeline text, of_stage text, at_key text, new_value bytea, expected bigint, most_keys bigint, most_bytes bigint,
    OUT is_done boolean, OUT at_version bigint, OUT at_value bytea
) LANGUAGE plpgsql AS $$
DECLARE
    space gristmill.state_space;
    old gristmill.state;
    has_old boolean;
    new_keys bigint;
    new_bytes bigint;
BEGIN
    INSERT INTO gristmill.state_space VALUES (of_pipeline, of_stage, 0, 0, 0) ON CONFLICT DO NOTHING;
    SELECT * INTO space FROM gristmill.state_space s WHERE s.pipeline = of_pipeline AND s.stage = of_stage FOR UPDATE;
    SELECT * INTO old FROM gristmill.state e
    WHERE e.pipeline = of_pipeline AND e.stage = of_stage AND e.key = at_key;
    has_old := FOUND;
    IF (expected = 0 AND has_old) OR (expected > 0 AND (NOT has_old OR old.version <> expected)) THEN
        is_done := false;
        at_version := old.version;
        at_value := old.value;
        RETURN;
    END IF;
    new_keys := space.keys;
    new_bytes := space.bytes;
    IF has_old THEN
        new_keys := new_keys - 1;
        new_bytes := new_bytes - octet_length(at_key) - octet_length(old.value);
    END IF;
    IF new_value IS NOT NULL THEN
        new_keys := new_keys + 1;
        new_bytes := new_bytes + octet_length(at_key) + octet_length(new_value);
    END IF;
    IF (new_keys > space.keys AND new_keys > most_keys) OR (new_bytes > space.bytes AND new_bytes > most_bytes) THEN
        RETURN;
    END IF;
    is_done := true;
    at_version := space.version + 1;
    IF new_value IS NULL THEN
        DELETE FROM gristmill.state e WHERE e.pipeline = of_pipeline AND e.stage = of_stage AND e.key = at_key;
    ELSE
        INSERT INTO gristmill.state VALUES (of_pipeline, of_stage, at_key, at_version, new_value)
        ON CONFLICT (pipeline, stage, key) DO UPDATE SET version = excluded.version, value = excluded.value;
    END IF;
    UPDATE gristmill.state_space s SET keys = new_keys, bytes = new_bytes, version = at_version
    WHERE s.pipeline = of_pipeline AND s.stage = of_stage;
END $$;
