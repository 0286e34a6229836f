/* base/config/suggest - the part of base/config that knows what a word was meant to be. */
#include <ctype.h>

#include "base/config.h"

#define WORD_MAX 64u /* longer words get no suggestion */
#define FAR      ((size_t)WORD_MAX * 2)

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Damerau's distance in its restricted form (optimal string alignment): how many letters must be inserted,
 * removed, replaced or swapped with their neighbour to make one word of the other. Letters of either case are
 * equal. */
static size_t distance(span_t a, span_t b)
{
    if (a.size > WORD_MAX || b.size > WORD_MAX)
        return FAR;
    size_t cost[WORD_MAX + 1][WORD_MAX + 1];
    for (size_t i = 0; i <= a.size; i++)
        cost[i][0] = i;
    for (size_t j = 0; j <= b.size; j++)
        cost[0][j] = j;
    for (size_t i = 1; i <= a.size; i++) {
        for (size_t j = 1; j <= b.size; j++) {
            int x = tolower(a.data[i - 1]), y = tolower(b.data[j - 1]);
            size_t best = cost[i - 1][j - 1] + (x != y);
            best = least(best, least(cost[i - 1][j], cost[i][j - 1]) + 1);
            if (i > 1 && j > 1 && x == tolower(b.data[j - 2]) && tolower(a.data[i - 2]) == y)
                best = least(best, cost[i - 2][j - 2] + 1);
            cost[i][j] = best;
        }
    }
    return cost[a.size][b.size];
}

/* A third of the word may be wrong: less would miss typing errors, more would suggest unrelated words. */
const char *config_suggest(const char *word, const char *const *candidates, size_t count)
{
    span_t given = span_str(word);
    size_t limit = given.size / 3, nearest = limit + 1;
    const char *found = NULL;
    for (size_t i = 0; i < count; i++) {
        span_t candidate = span_str(candidates[i]);
        if (candidate.size > given.size + limit || given.size > candidate.size + limit)
            continue;
        size_t far = distance(given, candidate);
        if (far < nearest) {
            nearest = far;
            found = candidates[i];
        }
    }
    return found;
}
