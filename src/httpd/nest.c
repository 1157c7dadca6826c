/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Sections that lie in each other. httpd joins them anew for each request: then only two pointers are linked. The plan of
 * a section alone is made when the configuration is judged, the plan of a pair once in each child, which keeps it, since
 * there are no more pairs than the configuration has.
 */
#include "httpd/plan.h"

#include <unistd.h>

struct mes_joined_t {
    const mes_plan_t *around, *plan;
    apr_pool_t *pool;
    mes_joined_t *next;
};

const mes_carried_t *mes_nest_join(const mes_carried_t *around, const mes_carried_t *carried, apr_pool_t *pool)
{
    mes_carried_t *joined;

    if (!carried || !around) {
        return carried ? carried : around;
    }
    joined = apr_palloc(pool, sizeof *joined);
    joined->part = carried->part;
    joined->around = mes_nest_join(around, carried->around, pool);
    return joined;
}

/* With the configuration, in the parent only: in a child, threads may be using them until the process ends. */
static apr_status_t forget_joined(void *context)
{
    mes_part_t *part = context;

    while (getpid() == part->owner && part->joined) {
        apr_pool_t *pool = part->joined->pool;

        part->joined = part->joined->next;
        apr_pool_destroy(pool);
    }
    return APR_SUCCESS;
}

void mes_nest_prepare(mes_part_t *part, apr_pool_t *pool)
{
    part->plan = mes_plan_make(&mes_plan_default, &part->said, pool);
    part->owner = getpid();
    apr_pool_cleanup_register(pool, part, forget_joined, apr_pool_cleanup_null);
}

static mes_joined_t *find_joined(mes_joined_t *first, const mes_plan_t *around)
{
    while (first && first->around != around) {
        first = first->next;
    }
    return first;
}

/* Two threads may make the same plan at once: the one that comes second drops its own. */
static const mes_plan_t *make_joined(mes_part_t *part, const mes_plan_t *around)
{
    apr_pool_t *pool = mes_site_make_pool();
    mes_joined_t *made = apr_pcalloc(pool, sizeof *made);
    mes_joined_t *first = __atomic_load_n(&part->joined, __ATOMIC_ACQUIRE), *other;

    made->around = around;
    made->plan = mes_plan_make(&around->said, &part->said, pool);
    made->pool = pool;
    do {
        if ((other = find_joined(first, around)) != NULL) {
            apr_pool_destroy(pool);
            return other->plan;
        }
        made->next = first;
    } while (!__atomic_compare_exchange_n(&part->joined, &first, made, 0, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE));
    return made->plan;
}

const mes_plan_t *mes_nest_find(const mes_carried_t *carried)
{
    const mes_plan_t *around;
    mes_joined_t *joined;

    if (!carried->around) {
        return carried->part->plan;
    }
    around = mes_nest_find(carried->around);
    joined = find_joined(__atomic_load_n(&carried->part->joined, __ATOMIC_ACQUIRE), around);
    return joined ? joined->plan : make_joined(carried->part, around);
}
