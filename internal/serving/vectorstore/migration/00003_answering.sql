-- Who reads, what a canary could not answer, and which tables belong to which version.

-- +goose Up
-- The roles that `publish migrate --reader` let in. Each later publish repeats their grants and
-- asks a version's questions as each of them.
CREATE TABLE kindred.reader (
    role        text        PRIMARY KEY,
    admitted_at timestamptz NOT NULL DEFAULT now()
);

-- The requests of late that the canary could not answer while the live version could. moves is
-- that of kindred.live: an error counts until the pointer or the canary changes.
CREATE TABLE kindred.canary_error (
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    version text        NOT NULL,
    moves   bigint      NOT NULL,
    reason  text        NOT NULL
);

-- Readers of before: only they have default privileges on schemas to come.
INSERT INTO kindred.reader (role)
SELECT DISTINCT r.rolname
FROM pg_default_acl d CROSS JOIN aclexplode(d.defaclacl) a JOIN pg_roles r ON r.oid = a.grantee
WHERE d.defaclobjtype = 'n' AND a.privilege_type = 'USAGE' AND a.grantee <> d.defaclrole;

-- The tables of a version say whose they are, so that a schema under another's name is noticed.
-- +goose StatementBegin
DO $$
DECLARE t record;
BEGIN
    FOR t IN SELECT c.oid::regclass AS name, v.version
        FROM kindred.model_version v
        JOIN pg_namespace n ON n.nspname = 'model_' || v.version
        JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r' AND c.relname IN ('item', 'customer', 'rated')
        WHERE v.state = 'ready'
    LOOP
        EXECUTE format('COMMENT ON TABLE %s IS %L', t.name, 'kindred model version ' || t.version);
    END LOOP;
END $$;
-- +goose StatementEnd

-- +goose Down
DROP TABLE kindred.canary_error;
DROP TABLE kindred.reader;
