export type Migration = Readonly<{
  number: number
  name: string
  /** One statement each; `$schema` stands for the quoted schema name. */
  statements: readonly string[]
}>

/**
 * Every change of the schema, oldest first; a released one is never edited. They only expand (new tables, new nullable
 * columns), because the version before still runs while the next one migrates.
 */
export const MIGRATIONS: readonly Migration[] = [
  {
    number: 1,
    name: 'catalog, tables, slots, shards, audit',
    statements: [
      // Revisions begin at the time, so that a catalog made anew never repeats one that a watcher still holds.
      `CREATE TABLE $schema.catalog (
        one_row boolean PRIMARY KEY DEFAULT true CHECK (one_row),
        catalog_id uuid NOT NULL DEFAULT gen_random_uuid(),
        revision bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
        epoch_last bigint NOT NULL DEFAULT 0,
        incarnation_last bigint NOT NULL DEFAULT 0,
        cluster_uid text,
        cluster_generation bigint NOT NULL DEFAULT 0,
        cluster_claimed_at timestamptz NOT NULL DEFAULT now(),
        shards integer NOT NULL DEFAULT 0,
        replication_factor integer NOT NULL DEFAULT 0,
        topic_replication_factor integer NOT NULL DEFAULT 1,
        topic_min_insync_replicas integer NOT NULL DEFAULT 1
      )`,
      'INSERT INTO $schema.catalog DEFAULT VALUES',
      // state: live | retained (kept by deletionPolicy Retain, seen by nobody) | deleting (its topic is being removed).
      `CREATE TABLE $schema.table_entry (
        table_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        namespace text NOT NULL,
        name text NOT NULL,
        uid text NOT NULL,
        generation bigint NOT NULL,
        topic text NOT NULL,
        state text NOT NULL,
        adopted boolean NOT NULL DEFAULT false,
        UNIQUE (namespace, name)
      )`,
      `CREATE TABLE $schema.table_version (
        table_id bigint NOT NULL REFERENCES $schema.table_entry ON DELETE CASCADE,
        version integer NOT NULL,
        definition text NOT NULL,
        made_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (table_id, version)
      )`,
      `CREATE TABLE $schema.slot (
        table_id bigint NOT NULL REFERENCES $schema.table_entry ON DELETE CASCADE,
        slot integer NOT NULL,
        epoch bigint NOT NULL,
        PRIMARY KEY (table_id, slot)
      )`,
      // incarnation 0: placed on a shard that never registered yet.
      `CREATE TABLE $schema.replica (
        table_id bigint NOT NULL,
        slot integer NOT NULL,
        shard integer NOT NULL,
        incarnation bigint NOT NULL,
        state text NOT NULL,
        PRIMARY KEY (table_id, slot, shard),
        FOREIGN KEY (table_id, slot) REFERENCES $schema.slot ON DELETE CASCADE
      )`,
      'CREATE INDEX replica_by_shard ON $schema.replica (shard)',
      `CREATE TABLE $schema.shard (
        shard integer PRIMARY KEY,
        incarnation bigint NOT NULL,
        address text NOT NULL,
        process_id text NOT NULL,
        registered_at timestamptz NOT NULL DEFAULT now()
      )`,
      // Apart from shard: it changes every second and must not make changes of the catalog wait.
      `CREATE TABLE $schema.shard_report (
        shard integer PRIMARY KEY REFERENCES $schema.shard ON DELETE CASCADE,
        reported_at_us bigint NOT NULL,
        report bytea NOT NULL
      )`,
      `CREATE TABLE $schema.audit (
        audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT now(),
        revision bigint NOT NULL,
        actor text NOT NULL,
        action text NOT NULL,
        subject text NOT NULL,
        detail text NOT NULL
      )`,
    ],
  },
  {
    number: 2,
    name: 'moves, and whose commands they obey',
    statements: [
      `ALTER TABLE $schema.catalog
        ADD COLUMN leader_operator text, ADD COLUMN leader_holder text, ADD COLUMN leader_created_at_us bigint,
        ADD COLUMN leader_transitions bigint, ADD COLUMN leader_epoch bigint, ADD COLUMN leader_heard_at timestamptz`,
      // since_revision, from_incarnation, proof_*: kernels/sharding/move-protocol.ts, SlotMove.
      `CREATE TABLE $schema.move (
        plan_id text NOT NULL,
        number integer NOT NULL,
        table_id bigint NOT NULL REFERENCES $schema.table_entry ON DELETE CASCADE,
        slot integer NOT NULL,
        from_shard integer NOT NULL,
        to_shard integer NOT NULL,
        phase text NOT NULL,
        approved boolean NOT NULL DEFAULT false,
        since_revision bigint NOT NULL DEFAULT 0,
        from_incarnation bigint NOT NULL DEFAULT 0,
        proof_incarnation bigint,
        proof_process_id text,
        epoch bigint NOT NULL DEFAULT 0,
        bytes bigint NOT NULL,
        reason text NOT NULL,
        asked_by text NOT NULL,
        message text NOT NULL DEFAULT '',
        planned_at_us bigint NOT NULL,
        started_at_us bigint NOT NULL DEFAULT 0,
        stepped_at_us bigint NOT NULL DEFAULT 0,
        ended_at_us bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (plan_id, number)
      )`,
      `CREATE UNIQUE INDEX open_move_of_slot ON $schema.move (table_id, slot)
       WHERE phase NOT IN ('Done', 'Cancelled', 'Failed')`,
    ],
  },
  {
    number: 3,
    name: 'drained shards',
    // As drained-shards.ts writes them; null: none.
    statements: ['ALTER TABLE $schema.catalog ADD COLUMN drained_shards text'],
  },
]
