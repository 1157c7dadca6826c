/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The section in mod_status: how full the shared memory is, what has happened, and why sign-ins were refused. Only sums:
 * no user, no session, nothing that came with a request. docs/operations.md explains each line; a lint holds the two
 * together.
 */
#include "httpd/mes.h"

#include "base/codec.h"

#include <apr_strings.h>
#include <http_protocol.h>
#include <mod_status.h>

typedef enum { COUNT, OCTETS, TENTHS, SECONDS } unit_t;

/* The first list of figures is what is there now, the second the sessions by size, the third what has happened since the
 * memory was laid out. */
typedef enum {
    SESSIONS,
    SESSION_OCTETS,
    TABLE_OCTETS,
    TABLE_USED,
    TABLE_FILL,
    MARKS,
    MARK_OCTETS,
    MARK_USED,
    MARK_FILL,
    OLDEST_MARK,
    KEPT,
    KEPT_OCTETS,
    KEPT_USED,
    KEPT_FILL,
    SMALLEST,
    LARGEST = SMALLEST + ES_TABLE_SIZES - 1,
    SIGN_INS,
    REMOVED,
    EXPIRED,
    EVICTED,
    REFUSED,
    REPAIRS,
    MARKS_SET,
    MARKS_REFUSED,
    PRESERVED,
    RESENT,
    GIVEN_UP,
    NOT_KEPT,
    FIGURES
} figure_t;
#define FIRST_EVENT SIGN_INS

/* The names are for programs and never change their meaning; the labels are for people. */
static const struct {
    const char *name;
    unit_t unit;
    const char *label;
    int of_marks; /* from a sample where the memory is large */
} figures[FIGURES] = {
    [SESSIONS] = { "EntraSAMLSessions", COUNT, "Sessions" },
    [SESSION_OCTETS] = { "EntraSAMLSessionOctets", OCTETS, "Room a session takes on average" },
    [TABLE_OCTETS] = { "EntraSAMLTableOctets", OCTETS, "Session table" },
    [TABLE_USED] = { "EntraSAMLTableOctetsUsed", OCTETS, "Session table, used" },
    [TABLE_FILL] = { "EntraSAMLTablePercent", TENTHS, "Session table, fill" },
    [MARKS] = { "EntraSAMLMarks", COUNT, "Replay marks", 1 },
    [MARK_OCTETS] = { "EntraSAMLMarkOctets", OCTETS, "Memory of replay marks" },
    [MARK_USED] = { "EntraSAMLMarkOctetsUsed", OCTETS, "Memory of replay marks, used", 1 },
    [MARK_FILL] = { "EntraSAMLMarkPercent", TENTHS, "Memory of replay marks, fill", 1 },
    [OLDEST_MARK] = { "EntraSAMLOldestMarkAge", SECONDS, "Age of the oldest replay mark", 1 },
    [KEPT] = { "EntraSAMLPreserved", COUNT, "Long addresses and forms kept" },
    [KEPT_OCTETS] = { "EntraSAMLPreserveOctets", OCTETS, "Memory of what is kept" },
    [KEPT_USED] = { "EntraSAMLPreserveOctetsUsed", OCTETS, "Memory of what is kept, used" },
    [KEPT_FILL] = { "EntraSAMLPreservePercent", TENTHS, "Memory of what is kept, fill" },
    [SMALLEST] = { "EntraSAMLSessionsUpTo512", COUNT, "up to 512 octets" },
    [SMALLEST + 1] = { "EntraSAMLSessionsUpTo1024", COUNT, "up to 1 KiB" },
    [SMALLEST + 2] = { "EntraSAMLSessionsUpTo2048", COUNT, "up to 2 KiB" },
    [SMALLEST + 3] = { "EntraSAMLSessionsUpTo4096", COUNT, "up to 4 KiB" },
    [SMALLEST + 4] = { "EntraSAMLSessionsUpTo8192", COUNT, "up to 8 KiB" },
    [SMALLEST + 5] = { "EntraSAMLSessionsUpTo16384", COUNT, "up to 16 KiB" },
    [SMALLEST + 6] = { "EntraSAMLSessionsUpTo32768", COUNT, "up to 32 KiB" },
    [LARGEST] = { "EntraSAMLSessionsLarger", COUNT, "larger" },
    [SIGN_INS] = { "EntraSAMLSignIns", COUNT, "Sign-ins" },
    [REMOVED] = { "EntraSAMLSessionsEnded", COUNT,
                  "Sessions ended by sign-out, a newer sign-in or the maximum per user" },
    [EXPIRED] = { "EntraSAMLSessionsExpired", COUNT, "Sessions cleared away after their time" },
    [EVICTED] = { "EntraSAMLSessionsEvicted", COUNT, "Live sessions given up for lack of room" },
    [REFUSED] = { "EntraSAMLSessionsRefused", COUNT, "Sessions refused for lack of room" },
    [REPAIRS] = { "EntraSAMLRepairs", COUNT, "Repairs of what killed processes left" },
    [MARKS_SET] = { "EntraSAMLMarksSet", COUNT, "Replay marks set" },
    [MARKS_REFUSED] = { "EntraSAMLMarksRefused", COUNT, "Replay marks refused for lack of room" },
    [PRESERVED] = { "EntraSAMLPreservedEver", COUNT, "Long addresses and forms that were kept" },
    [RESENT] = { "EntraSAMLPreservedResent", COUNT, "Forms handed back to be sent again" },
    [GIVEN_UP] = { "EntraSAMLPreservedLost", COUNT, "Long addresses and forms given up for others" },
    [NOT_KEPT] = { "EntraSAMLPreserveRefused", COUNT, "Long addresses and forms not kept for lack of room" },
};

typedef struct {
    apr_uint64_t value[FIGURES];
    int sampled;
} measured_t;

static apr_uint64_t tenths(apr_uint64_t part, apr_uint64_t whole)
{
    return whole ? part * 1000 / whole : 0;
}

/* A session that has expired takes its place until somebody needs it: some are cleared away first, so that a quiet
 * server, too, shows what is alive. */
static void measure(measured_t *measured, es_shm_t *shm)
{
    apr_uint64_t *value = measured->value;
    const apr_time_t now = apr_time_now();
    es_shm_counters_t count;
    int size;

    es_shm_tidy(shm, now);
    es_shm_count(&count, shm, now);
    value[SESSIONS] = count.table.records;
    value[TABLE_OCTETS] = count.table.blocks * ES_TABLE_BLOCK;
    value[TABLE_USED] = count.table.blocks_used * ES_TABLE_BLOCK;
    value[TABLE_FILL] = tenths(count.table.blocks_used, count.table.blocks);
    value[SESSION_OCTETS] = count.table.records ? value[TABLE_USED] / count.table.records : 0;
    value[MARKS] = count.marks.used;
    value[MARK_OCTETS] = count.marks.room * ES_REPLAY_MARK;
    value[MARK_USED] = count.marks.used * ES_REPLAY_MARK;
    value[MARK_FILL] = tenths(count.marks.used, count.marks.room);
    value[OLDEST_MARK] = count.oldest_mark && count.oldest_mark < now ? apr_time_sec(now - count.oldest_mark) : 0;
    for (size = 0; size < ES_TABLE_SIZES; size++) {
        value[SMALLEST + size] = count.table.sizes[size];
    }
    value[SIGN_INS] = count.signins;
    value[REMOVED] = count.table.removed;
    value[EXPIRED] = count.table.expired;
    value[EVICTED] = count.table.evicted;
    value[REFUSED] = count.table.refused;
    value[REPAIRS] = count.table.repaired + count.ring.repaired;
    value[MARKS_SET] = count.marks.added;
    value[MARKS_REFUSED] = count.marks.refused;
    value[KEPT] = count.ring.items;
    value[KEPT_OCTETS] = count.ring.room;
    value[KEPT_USED] = count.ring.used;
    value[KEPT_FILL] = tenths(count.ring.used, count.ring.room);
    value[PRESERVED] = count.ring.kept;
    value[RESENT] = count.ring.taken;
    value[GIVEN_UP] = count.ring.evicted;
    value[NOT_KEPT] = count.ring.refused;
    measured->sampled = count.marks.sampled;
}

/* ---- for programs -------------------------------------------------------------------------------------------- */

static const char *as_number(unit_t unit, apr_uint64_t value, apr_pool_t *pool)
{
    if (unit == TENTHS) {
        return apr_psprintf(pool, "%" APR_UINT64_T_FMT ".%d", value / 10, (int)(value % 10));
    }
    return apr_psprintf(pool, "%" APR_UINT64_T_FMT, value);
}

static void put_lines(request_rec *r, const measured_t *measured, const es_shm_t *shm)
{
    int i;

    for (i = 0; i < FIGURES; i++) {
        ap_rprintf(r, "%s: %s\n", figures[i].name, as_number(figures[i].unit, measured->value[i], r->pool));
    }
    for (i = ES_OK + 1; i < ES_REASON_COUNT; i++) {
        const apr_uint64_t times = es_shm_noted(shm, i);

        if (times) {
            ap_rprintf(r, "EntraSAMLReason-%s: %" APR_UINT64_T_FMT "\n", es_reason(i)->code, times);
        }
    }
}

/* ---- for people ---------------------------------------------------------------------------------------------- */

static const char *as_words(figure_t figure, const measured_t *measured, apr_pool_t *pool)
{
    const apr_uint64_t value = measured->value[figure];
    const char *words = as_number(figures[figure].unit, value, pool);

    switch (figures[figure].unit) {
    case OCTETS:
        if (value >= 1024 * 1024) {
            words = apr_psprintf(pool, "%s octets (%.1f MiB)", words, (double)value / (1024 * 1024));
        } else if (value >= 1024) {
            words = apr_psprintf(pool, "%s octets (%.1f KiB)", words, (double)value / 1024);
        } else {
            words = apr_pstrcat(pool, words, " octets", NULL);
        }
        break;
    case TENTHS:
        words = apr_psprintf(pool, "%s %%", words);
        break;
    case SECONDS:
        words = apr_psprintf(pool, "%" APR_UINT64_T_FMT " min %d s", value / 60, (int)(value % 60));
        break;
    case COUNT:
        break;
    }
    return measured->sampled && figures[figure].of_marks ? apr_pstrcat(pool, "about ", words, NULL) : words;
}

/* With a caption above, and room between one table and the next. */
#define TABLE                                                                                                          \
    "<table border=\"1\" cellpadding=\"3\" style=\"margin:1em 0\">\n<caption "                                         \
    "style=\"text-align:left;font-weight:bold\">%s</caption>\n"

static void put_table(request_rec *r, const char *caption, const measured_t *measured, int from, int to)
{
    int i;

    ap_rprintf(r, TABLE "<thead><tr><th scope=\"col\">What</th><th scope=\"col\">Value</th></tr></thead>\n<tbody>\n",
               caption);
    for (i = from; i < to; i++) {
        ap_rprintf(r, "<tr><th scope=\"row\" align=\"left\">%s</th><td align=\"right\">%s</td></tr>\n",
                   figures[i].label, as_words(i, measured, r->pool));
    }
    ap_rputs("</tbody>\n</table>\n", r);
}

#define BAR 12 /* em, at the longest */

/* A bar as long as the share, for those who see it; the number says the same. */
static const char *bar(apr_uint64_t share, apr_pool_t *pool)
{
    const apr_uint64_t length = share * BAR / 100; /* tenths of an em; the share is in tenths of a percent */

    return apr_psprintf(pool, "<span style=\"display:inline-block;height:.8em;background:#36c;width:%s\"></span> %s %%",
                        apr_pstrcat(pool, as_number(TENTHS, length, pool), "em", NULL), as_number(TENTHS, share, pool));
}

static void put_sizes(request_rec *r, const measured_t *measured)
{
    int i;

    ap_rprintf(r,
               TABLE "<thead><tr><th scope=\"col\">Room a session takes</th><th scope=\"col\">Sessions</th>"
                     "<th scope=\"col\">Share</th></tr></thead>\n<tbody>\n",
               "Sessions by size");
    for (i = SMALLEST; i <= LARGEST; i++) {
        ap_rprintf(r,
                   "<tr><th scope=\"row\" align=\"left\">%s</th><td align=\"right\">%" APR_UINT64_T_FMT
                   "</td><td>%s</td></tr>\n",
                   figures[i].label, measured->value[i],
                   bar(tenths(measured->value[i], measured->value[SESSIONS]), r->pool));
    }
    ap_rputs("</tbody>\n</table>\n", r);
}

static void put_reasons(request_rec *r, const es_shm_t *shm)
{
    int i;

    ap_rprintf(r,
               TABLE "<thead><tr><th scope=\"col\">Reason</th><th scope=\"col\">Times</th>"
                     "<th scope=\"col\">What it means, or what to do</th></tr></thead>\n<tbody>\n",
               "Refusals and renewed sign-ons by reason");
    for (i = ES_OK + 1; i < ES_REASON_COUNT; i++) {
        const apr_uint64_t times = es_shm_noted(shm, i);

        if (times) {
            ap_rprintf(r,
                       "<tr><th scope=\"row\" align=\"left\">%s</th><td align=\"right\">%" APR_UINT64_T_FMT
                       "</td><td>%s</td></tr>\n",
                       es_codec_html(es_reason(i)->code, r->pool), times, es_codec_html(es_reason(i)->remedy, r->pool));
        }
    }
    ap_rputs("</tbody>\n</table>\n", r);
}

/* mod_status says ISO-8859-1 and HTML 4.01: nothing here but ASCII, and attributes of that time. */
int mes_status_show(request_rec *r, int flags)
{
    es_shm_t *shm = mes_state_shm();
    measured_t measured;

    if (!shm) {
        return DECLINED;
    }
    measure(&measured, shm);
    if (flags & AP_STATUS_SHORT) {
        put_lines(r, &measured, shm);
        return OK;
    }
    ap_rputs("<hr />\n<h2 id=\"entra-saml\">Microsoft Entra ID sign-on (mod_entra_saml)</h2>\n", r);
    if (flags & AP_STATUS_NOTABLE) {
        ap_rputs("<pre>\n", r);
        put_lines(r, &measured, shm);
        ap_rputs("</pre>\n", r);
        return OK;
    }
    put_table(r, "Shared memory now", &measured, 0, SMALLEST);
    put_sizes(r, &measured);
    put_table(r, "Since the shared memory was laid out", &measured, FIRST_EVENT, FIGURES);
    put_reasons(r, shm);
    return OK;
}
