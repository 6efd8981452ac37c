//! The tables, as diesel sees them: one description for both databases. What each column means is said in the
//! migrations.

diesel::table! {
    eservice (id) {
        id -> BigInt,
        name -> Text,
        last_ts -> BigInt,
        drops_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    ente (id) {
        id -> BigInt,
        eservice_id -> BigInt,
        codice -> Text,
        denominazione -> Text,
    }
}

diesel::table! {
    prestazione (eservice_id, id) {
        eservice_id -> BigInt,
        id -> BigInt,
        codice_ente -> Text,
        tipo -> SmallInt,
        identity_hash -> Binary,
        content_hash -> Binary,
        person -> Text,
        label -> Text,
        stato -> SmallInt,
        flusso_ts -> BigInt,
        created_ms -> BigInt,
        updated_ms -> BigInt,
        eliminato_ms -> Nullable<BigInt>,
        codice -> Nullable<Text>,
        primo_mese -> Nullable<Integer>,
        mesi -> Nullable<SmallInt>,
        importo -> Nullable<BigInt>,
        seguito -> SmallInt,
    }
}

diesel::table! {
    flusso (eservice_id, ts) {
        eservice_id -> BigInt,
        ts -> BigInt,
        id_flusso -> Text,
        ente_id -> BigInt,
        tipo -> SmallInt,
        operazione -> Nullable<Text>,
        prestazione_id -> BigInt,
        payload_format -> SmallInt,
        payload -> Binary,
        eliminato_ms -> Nullable<BigInt>,
        annulla_ts -> Nullable<BigInt>,
    }
}

diesel::table! {
    feed_gap (eservice_id, until_ts) {
        eservice_id -> BigInt,
        after_ts -> BigInt,
        until_ts -> BigInt,
        noticed_ms -> BigInt,
        noticed_by -> Text,
    }
}

diesel::table! {
    progressivo (eservice_id, codice_ente, tipo, giorno) {
        eservice_id -> BigInt,
        codice_ente -> Text,
        tipo -> SmallInt,
        giorno -> Integer,
        ultimo -> BigInt,
    }
}

diesel::table! {
    esito (id) {
        id -> BigInt,
        eservice_id -> BigInt,
        id_flusso -> Text,
        flusso_ts -> Nullable<BigInt>,
        ts_flusso_ms -> BigInt,
        ts_acquisizione_ms -> BigInt,
        tipo -> Text,
        codice_esito -> Text,
        descrizione -> Nullable<Text>,
        id_acquisizione_siuss -> Nullable<Text>,
        altro -> Nullable<Text>,
        digest -> Binary,
        received_ms -> BigInt,
        request_id -> Text,
    }
}

diesel::table! {
    call_log_head (log_id) {
        log_id -> BigInt,
        size -> BigInt,
        hashed -> BigInt,
        frontier -> Binary,
    }
}

diesel::table! {
    call_checkpoint (log_id, size) {
        log_id -> BigInt,
        size -> BigInt,
        instant_ms -> BigInt,
        note -> Text,
        frontier -> Nullable<Binary>,
    }
}

diesel::table! {
    call_removed (log_id, first_index) {
        log_id -> BigInt,
        first_index -> BigInt,
        hashes -> Binary,
    }
}

diesel::table! {
    call_entry (log_id, entry_index) {
        log_id -> BigInt,
        entry_index -> BigInt,
        instant_ms -> BigInt,
        request_id -> Text,
        method -> Text,
        path -> Text,
        query -> Nullable<Text>,
        status -> SmallInt,
        outcome -> Text,
        client_ip -> Nullable<Text>,
        client_id -> Nullable<Text>,
        consumer_id -> Nullable<Text>,
        purpose_id -> Nullable<Text>,
        token_id -> Nullable<Text>,
        kid -> Nullable<Text>,
        producer_id -> Nullable<Text>,
        pdnd_eservice_id -> Nullable<Text>,
        descriptor_id -> Nullable<Text>,
        voucher_check -> Nullable<Text>,
        since -> Nullable<Text>,
        page_limit -> Nullable<BigInt>,
        first_ts -> Nullable<BigInt>,
        last_ts -> Nullable<BigInt>,
        item_count -> Nullable<BigInt>,
        flows_digest -> Nullable<Binary>,
        duration_us -> BigInt,
        bytes -> Nullable<BigInt>,
        evidence -> Nullable<Text>,
        leaf_hash -> Nullable<Binary>,
        benefit -> Nullable<BigInt>,
        esiti -> Nullable<Text>,
    }
}

diesel::table! {
    daily_calls (eservice_id, giorno, consumer_id) {
        eservice_id -> BigInt,
        giorno -> Integer,
        consumer_id -> Text,
        calls -> BigInt,
    }
}

diesel::table! {
    jwks_cache (url) {
        url -> Text,
        body -> Text,
        fetched_ms -> BigInt,
    }
}

diesel::table! {
    dpop_proof (proof) {
        proof -> Text,
        until_ms -> BigInt,
    }
}

diesel::table! {
    codes_table (kind) {
        kind -> Text,
        content -> Text,
        date -> Text,
        source -> Text,
        loaded_ms -> BigInt,
    }
}

diesel::table! {
    api_key (id) {
        id -> BigInt,
        name -> Text,
        eservice_id -> BigInt,
        secret_hash -> Binary,
        enti -> Text,
        created_ms -> BigInt,
        revoked_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    api_answer (api_key_id, idempotency_key) {
        api_key_id -> BigInt,
        idempotency_key -> Text,
        request_digest -> Binary,
        refused -> SmallInt,
        records -> BigInt,
        body -> Text,
        created_ms -> BigInt,
    }
}

diesel::table! {
    tracing_day (name, giorno) {
        name -> Text,
        giorno -> Integer,
        state -> Text,
        tracing_id -> Nullable<Text>,
        digest -> Nullable<Text>,
        sending -> Nullable<Text>,
        failures -> Integer,
        recoveries -> Integer,
        last_error -> Nullable<Text>,
        submitted_ms -> Nullable<BigInt>,
        next_ms -> BigInt,
    }
}

diesel::table! {
    tracing_turn (name) {
        name -> Text,
        since -> Nullable<Integer>,
        holder -> Nullable<Text>,
        until_ms -> BigInt,
    }
}

diesel::table! {
    staff_account (id) {
        id -> BigInt,
        name -> Text,
        full_name -> Text,
        roles -> Text,
        password_hash -> Nullable<Text>,
        provisional -> SmallInt,
        created_ms -> BigInt,
        disabled_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    staff_scope (account_id, eservice_id, codice_ente) {
        account_id -> BigInt,
        eservice_id -> BigInt,
        codice_ente -> Text,
    }
}

diesel::table! {
    staff_session (id_hash) {
        id_hash -> Binary,
        account_id -> BigInt,
        created_ms -> BigInt,
        seen_ms -> BigInt,
    }
}

diesel::table! {
    feed_mark (eservice_id, ts) {
        eservice_id -> BigInt,
        ts -> BigInt,
        flussi -> BigInt,
    }
}

diesel::table! {
    riepilogo (eservice_id, mese, codice, codice_ente) {
        eservice_id -> BigInt,
        mese -> Integer,
        codice -> Text,
        codice_ente -> Text,
        iniziate -> BigInt,
        in_corso -> BigInt,
        importo -> BigInt,
    }
}

diesel::table! {
    scadenza (eservice_id, ts, tipo, giorno) {
        eservice_id -> BigInt,
        ts -> BigInt,
        tipo -> SmallInt,
        giorno -> Integer,
        flussi -> BigInt,
    }
}

diesel::table! {
    esito_riepilogo (eservice_id, codice_esito) {
        eservice_id -> BigInt,
        codice_esito -> Text,
        flussi -> BigInt,
    }
}

diesel::table! {
    caricamento (id) {
        id -> BigInt,
        eservice_id -> BigInt,
        codice_ente -> Text,
        file_name -> Text,
        format -> Text,
        bytes -> BigInt,
        stato -> Text,
        loaded_by -> Text,
        created_ms -> BigInt,
        confirmed_by -> Nullable<Text>,
        ended_ms -> Nullable<BigInt>,
        colonne -> Text,
        mapping -> Text,
        run -> BigInt,
        beat_ms -> BigInt,
        bytes_read -> BigInt,
        figures -> Text,
    }
}

diesel::table! {
    caricamento_parte (caricamento_id, parte) {
        caricamento_id -> BigInt,
        parte -> BigInt,
        content -> Binary,
    }
}

diesel::table! {
    caricamento_pagina (caricamento_id, pagina) {
        caricamento_id -> BigInt,
        pagina -> BigInt,
        entries -> Text,
    }
}

diesel::table! {
    mappatura (eservice_id, codice_ente, name) {
        eservice_id -> BigInt,
        codice_ente -> Text,
        name -> Text,
        fields -> Text,
        saved_by -> Text,
        saved_ms -> BigInt,
    }
}

diesel::table! {
    rifiuto (eservice_id, flusso_ts) {
        eservice_id -> BigInt,
        flusso_ts -> BigInt,
        prestazione_id -> BigInt,
        aperto -> SmallInt,
    }
}

diesel::table! {
    verifica (id) {
        id -> BigInt,
        eservice -> Nullable<Text>,
        started_by -> Text,
        started_ms -> BigInt,
        entries -> BigInt,
        checked -> BigInt,
        in_corso -> SmallInt,
        beat_ms -> BigInt,
        ended_ms -> Nullable<BigInt>,
        report -> Nullable<Text>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    eservice,
    feed_gap,
    ente,
    prestazione,
    flusso,
    esito,
    rifiuto,
    call_entry,
    call_log_head,
    api_key,
    staff_account,
    staff_scope,
    staff_session,
    scadenza
);
