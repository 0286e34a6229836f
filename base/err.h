/* base/err - the one list of errors, each with its name and its text.
 * Thread: any; nothing here has state.
 *
 * A function that can fail returns OK (0) or one of these (negative). A foreign library's errors are mapped
 * to them in the one file that includes the library.
 */
#ifndef HEDDLE_BASE_ERR_H
#define HEDDLE_BASE_ERR_H

#define ERR_LIST(X)                                                 \
    X(OK, 0, "success")                                             \
    X(ERR_MEMORY, -1, "out of memory")                              \
    X(ERR_TRUNCATED, -2, "the input ends too early")                \
    X(ERR_MALFORMED, -3, "the input breaks the grammar")            \
    X(ERR_TYPE, -4, "a value has the wrong type")                   \
    X(ERR_RANGE, -5, "a value is out of range")                     \
    X(ERR_DEPTH, -6, "the input is nested too deeply")              \
    X(ERR_DUPLICATE, -7, "the same thing stands twice")             \
    X(ERR_UNKNOWN, -8, "unknown name, kind or version")             \
    X(ERR_TOO_BIG, -9, "over the size limit")                       \
    X(ERR_FULL, -10, "no room: the queue, window or table is full") \
    X(ERR_AGAIN, -11, "not now, try again later")                   \
    X(ERR_CLOSED, -12, "closed")                                    \
    X(ERR_NOT_FOUND, -13, "not found")                              \
    X(ERR_DENIED, -14, "permission denied")                         \
    X(ERR_EXPIRED, -15, "expired")                                  \
    X(ERR_NOT_YET, -16, "not valid yet")                            \
    X(ERR_SIGNATURE, -17, "the signature does not match")           \
    X(ERR_UNAVAILABLE, -18, "not available")                        \
    X(ERR_TIMEOUT, -19, "timed out")                                \
    X(ERR_IO, -20, "input/output error")                            \
    X(ERR_UTF8, -21, "invalid UTF-8")                               \
    X(ERR_VERSION, -22, "incompatible version")                     \
    X(ERR_CLUSTER, -23, "another cluster")                          \
    X(ERR_CONFIG, -24, "invalid configuration")

typedef enum err {
#define ERR_ENUM(name, code, text) name = (code),
    ERR_LIST(ERR_ENUM)
#undef ERR_ENUM
} err_t;

/* "ERR_FULL"; "ERR_?" for a code that is not in the list. Static memory. */
const char *err_name(int err);

/* "no room: the queue, window or table is full". Static memory. */
const char *err_text(int err);

#endif
