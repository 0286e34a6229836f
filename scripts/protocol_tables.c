/* Prints the tables of protocol/README.md from protocol/kinds.h and protocol/limits.h; scripts/gen-protocol puts
 * them in their place. */
#include <stdio.h>

#include "protocol/envelope.h"

#define LIMIT_UINT(max)
#define LIMIT_TEXT(max) printf(" ≤ %u", (unsigned)(max));
#define LIMIT_DATA(max) printf(" ≤ %u", (unsigned)(max));
#define LIMIT_LIST(max) printf(" ≤ %u", (unsigned)(max));
#define LIMIT_NAME(max)
#define FIELD(type, name, max)                           \
    printf("%s`%s` " #type, count++ ? ", " : "", #name); \
    LIMIT_##type(max)
#define KIND(NAME, member, code, layer, FIELDS, text)         \
    {                                                         \
        unsigned count = 0;                                   \
        printf("| %d | `" #NAME "` | " #layer " | ", (code)); \
        FIELDS(FIELD)                                         \
        printf(" | %s |\n", text);                            \
    }
#define ROLE(NAME, code, text)     printf("| %d | %s |\n", (code), text);
#define QUESTION(NAME, code, text) printf("| %d | `" #NAME "` | %s |\n", (code), text);
#define LIMIT(name)                printf("| `" #name "` | %u |\n", (unsigned)(name));

int main(void)
{
    puts("### Kinds\n\n| code | kind | layer | fields, in order | what it says |\n|---|---|---|---|---|");
    ENVELOPE_KINDS(KIND)
    puts("\n### Roles\n\n| code | node |\n|---|---|");
    NODE_ROLES(ROLE)
    puts("\n### Flags of PUB and MSG\n\n| bit | meaning |\n|---|---|");
    printf("| %d | the payload is binary; without it, UTF-8 text |\n", MESSAGE_BINARY);
    printf("| %d | the payload is one JSON value, validated by the edge that took it |\n", MESSAGE_JSON);
    printf("| %d | in PUB: it was sent before, and may have arrived |\n", MESSAGE_RESENT);
    puts("\n### Questions\n\n| code | question | who answers, and `items` of its ANSWER |\n|---|---|---|");
    QUESTIONS(QUESTION)
    puts("\n### Limits\n\nBytes, but for the last two.\n\n| name | value |\n|---|---|");
    LIMIT(NODE_NAME_MAX)
    LIMIT(CLUSTER_MAX)
    LIMIT(CHANNEL_NAME_MAX)
    LIMIT(EPOCH_SIZE)
    LIMIT(CLIENT_ID_MAX)
    LIMIT(USER_ID_MAX)
    LIMIT(CLIENT_INFO_MAX)
    LIMIT(REASON_MAX)
    LIMIT(PAYLOAD_MAX)
    LIMIT(LIST_MAX)
    LIMIT(WIRE_BATCH)
    LIMIT(WIRE_MESSAGE_MAX)
    LIMIT(WIRE_DEPTH)
    LIMIT(HOPS_MAX)
    return 0;
}
