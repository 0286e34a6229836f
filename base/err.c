#include "base/err.h"

const char *err_name(int err)
{
    switch (err) {
#define ERR_NAME(name, code, text) \
    case code: return #name;
        ERR_LIST(ERR_NAME)
#undef ERR_NAME
    default: return "ERR_?";
    }
}

const char *err_text(int err)
{
    switch (err) {
#define ERR_TEXT(name, code, text) \
    case code: return text;
        ERR_LIST(ERR_TEXT)
#undef ERR_TEXT
    default: return "unknown error";
    }
}
