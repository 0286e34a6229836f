/* What JSON is and what it is not, one text a row, with what json_parse says to it. */
#ifndef HEDDLE_TESTS_JSON_CASES_H
#define HEDDLE_TESTS_JSON_CASES_H

#include "base/err.h"
#include "base/span.h"

typedef struct json_case {
    const char *text;
    size_t size; /* the texts may hold NUL */
    int expected;
} json_case_t;

#define YES(text)                  \
    {                              \
        text, sizeof(text) - 1, OK \
    }
#define BAD(text)                             \
    {                                         \
        text, sizeof(text) - 1, ERR_MALFORMED \
    }
#define CUT(text)                             \
    {                                         \
        text, sizeof(text) - 1, ERR_TRUNCATED \
    }
#define UTF(text)                        \
    {                                    \
        text, sizeof(text) - 1, ERR_UTF8 \
    }

/* clang-format off */
static const json_case_t number_cases[] = {
    YES("0"), YES("-0"), YES("1"), YES("-1"), YES("10"), YES("1234567890"), YES("12345678901234567890"),
    YES("0.0"), YES("-0.0"), YES("1.10"), YES("0.000000000000000000000000000000000000000000001"),
    YES("1e5"), YES("1E5"), YES("1e+5"), YES("1e-5"), YES("1E+005"), YES("0e0"), YES("0e+1"), YES("1.5e300"),
    YES("1e400"), YES("-1e-400"), YES("123456789012345678901234567890.123456789012345678901234567890e-17"),
    YES(" 1 "), YES("[0,-0,0.5]"),
    BAD("01"), BAD("-01"), BAD("00"), BAD("-00"), BAD("012"), BAD("-012.5"), BAD("0123e1"),
    BAD("+1"), BAD("++1"), BAD("-+1"), BAD("--1"), BAD("- 1"), BAD("1-"), BAD("1+2"), BAD("1-1"),
    BAD(".5"), BAD("-.5"), BAD(".1e2"), BAD("1.e5"), BAD("1.-5"), BAD("1.2.3"), BAD("0.1.2"), BAD("1..2"),
    CUT("-"), CUT("1."), CUT("-1."), CUT("0."), CUT("1e"), CUT("1E"), CUT("1e+"), CUT("1e-"), CUT("0.3e"), CUT("0.3e+"),
    BAD("[1.]"), BAD("[-]"), BAD("[1e]"), BAD("[1e+]"), BAD("[1e-]"), BAD("[0.3e]"), BAD("[0.3e+]"), BAD("{\"a\":1.}"),
    BAD("1ee2"), BAD("1e1e1"), BAD("1e1.5"), BAD("1e+-2"), BAD("9.3e+x"), BAD("1e 5"), BAD("1 e5"), BAD("1. 5"),
    BAD("0x1"), BAD("0x"), BAD("0X1F"), BAD("-0x1"), BAD("0b1"), BAD("0o7"), BAD("1f"), BAD("1L"), BAD("1n"), BAD("1_000"),
    BAD("1,000.5"), BAD("1'000"), BAD("1 000"), BAD("1a"), BAD("-a"), BAD("1\0"), BAD("$1"), BAD("1%"),
    BAD("NaN"), BAD("-NaN"), BAD("Infinity"), BAD("-Infinity"), BAD("+Infinity"), BAD("inf"), BAD("-inf"), BAD("Inf"),
    BAD("\xef\xbc\x91") /* a full-width one */, BAD("1\xe2\x81\xbb") /* a superscript minus */, BAD("\xe2\x88\x92" "1"),
};

static const json_case_t string_cases[] = {
    YES("\"\""), YES("\"a\""), YES("\" \""), YES("\"abcdefgh\""), YES("\"abcdefg\""), YES("\"abcdefghi\""),
    YES("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), YES("\"\\\\\""), YES("\"\\\\\\\"\""), YES("\"\\u0000\""), YES("\"\\u001f\""),
    YES("\"\\u00e4\\u20AC\\uABCD\\uabcd\\uefEF\""), YES("\"\\ud83d\\ude00\""), YES("\"\\ud800\""), YES("\"\\udc00\""),
    YES("\"\\ud800\\ud800\""), YES("\"\\udc00\\ud800\""), YES("\"\\ud800x\""), YES("\"\\ud800\\n\""), YES("\"\\uFFFF\""),
    YES("\"\x7f\""), YES("\"/\""), YES("\"'\""), YES("\"\xc2\x80\""), YES("\"\xc3\xa4\""), YES("\"\xe2\x82\xac\""),
    YES("\"\xef\xbb\xbf\"") /* a BOM is a character in there */, YES("\"\xe2\x80\xa8\xe2\x80\xa9\""), YES("\"\xef\xbf\xbf\""),
    YES("\"\xed\x9f\xbf\xee\x80\x80\""), YES("\"\xf0\x90\x80\x80\""), YES("\"\xf4\x8f\xbf\xbf\""), YES("\"a\xf0\x9f\x98\x80" "b\""),
    YES("\"1234567\xc3\xa4\""), YES("\"12345678\xc3\xa4\""), YES("\"1234567\\n89\""),
    BAD("\"\n\""), BAD("\"\t\""), BAD("\"\r\""), BAD("\"\0\""), BAD("\"\x1f\""), BAD("\"\x01\""), BAD("\"\x08\""), BAD("\"\x0c\""),
    BAD("\"a\nb\""), BAD("\"1234567\n\""), BAD("\"12345678\n\""), BAD("\"123456789abcdef\x1f\""), BAD("\"a\0b\""), BAD("\"\\\n\""),
    BAD("\"\\a\""), BAD("\"\\v\""), BAD("\"\\0\""), BAD("\"\\x41\""), BAD("\"\\'\""), BAD("\"\\ \""), BAD("\"\\e\""), BAD("\"\\U0041\""),
    BAD("\"\\N\""), BAD("\"\\\0\""), BAD("\"\\\t\""), BAD("\"\\\xc3\xa4\""), BAD("\"\\\xff\""), BAD("\"\\1\""), BAD("\"\\,\""), BAD("\"\\B\""),
    BAD("\"\\u\""), BAD("\"\\u1\""), BAD("\"\\u12\""), BAD("\"\\u123\""), BAD("\"\\u123g\""), BAD("\"\\ug123\""), BAD("\"\\u 123\""),
    BAD("\"\\u+123\""), BAD("\"\\u-123\""), BAD("\"\\u0x12\""), BAD("\"\\u12\\n3\""), BAD("\"\\ud83d\\u\""), BAD("\"\\ud83d\\u12\""),
    BAD("\"\\u{41}\""), BAD("\"\\u00\xc3\xa4\""), BAD("\"\\u123@\""), BAD("\"\\u123`\""), BAD("\"\\u123G\""), BAD("\"\\u123/\""), BAD("\"\\u123:\""),
    CUT("\""), CUT("\"a"), CUT("\"abcdefgh"), CUT("\"\\"), CUT("\"\\\""), CUT("\"\\u"), CUT("\"\\u1"), CUT("\"\\u12"), CUT("\"\\u123"),
    CUT("\"\\u1234"), CUT("\"\\ud83d\\"), CUT("\"\xc3"), CUT("\"\xe2\x82"), CUT("\"\xf0\x9f\x98"), CUT("\"\xc3\xa4"), CUT("[\"a"), CUT("{\"a"),
    UTF("\"\x80\""), UTF("\"\xbf\""), UTF("\"a\x80\""), UTF("\"\xc3\xa4\x80\""), UTF("\"\xff\""), UTF("\"\xfe\""), UTF("\"\xf5\x80\x80\x80\""),
    UTF("\"\xf8\x88\x80\x80\x80\""), UTF("\"\xfc\x84\x80\x80\x80\x80\""), UTF("\"\xf4\x90\x80\x80\""),
    UTF("\"\xc0\x80\"") /* overlong NUL */, UTF("\"\xc0\xa2\"") /* overlong quote */, UTF("\"\xc1\xbf\""), UTF("\"\xe0\x80\xaf\""),
    UTF("\"\xe0\x9f\xbf\""), UTF("\"\xf0\x80\x80\xaf\""), UTF("\"\xf0\x8f\xbf\xbf\""),
    UTF("\"\xed\xa0\x80\"") /* raw surrogates */, UTF("\"\xed\xbf\xbf\""), UTF("\"\xed\xa0\xbd\xed\xb8\x80\""),
    UTF("\"\xc3\""), UTF("\"\xe2\x82\""), UTF("\"\xe2\""), UTF("\"\xf0\x9f\x98\""), UTF("\"\xf0\x9f\""), UTF("\"\xf0\""),
    UTF("\"\xc3" "a\""), UTF("\"\xe2\x82" "a\""), UTF("\"\xc3\\n\""), UTF("\"1234567\xff\""), UTF("\"12345678\xff\""), UTF("\"\xe4\""),
    UTF("{\"\xff\":1}"), UTF("[\"\xff"), UTF("\"\xed\xa0"),
    BAD("'a'"), BAD("\"a'"  "\"b\""), BAD("`a`"), BAD("a"), BAD("\\\"a\\\""), BAD("\\u0022a\\u0022"), BAD("\xe2\x80\x9c" "a\xe2\x80\x9d"),
    BAD("\"a\"\"b\""), BAD("\"a\" \"b\""), BAD("\"a\"b"), BAD("\"a\"\\"), BAD("\"a\",\"b\""),
};

static const json_case_t word_cases[] = {
    YES("true"), YES("false"), YES("null"), YES("\t\n\r true \t\n\r"), YES("[true,false,null]"),
    CUT(""), CUT(" "), CUT("\n\t\r "), CUT("t"), CUT("tru"), CUT("f"), CUT("fals"), CUT("n"), CUT("nul"), CUT(" nul"), CUT("[nul"),
    BAD("True"), BAD("TRUE"), BAD("tRue"), BAD("truE"), BAD("False"), BAD("NULL"), BAD("Null"), BAD("nil"), BAD("none"), BAD("undefined"),
    BAD("truee"), BAD("true1"), BAD("true,"), BAD("nullnull"), BAD("true false"), BAD("truefalse"), BAD("nulL"), BAD("[nul]"), BAD("[tru,1]"),
    BAD("[fals]"), BAD("t rue"), BAD("tr\0ue"), BAD("true\0"), BAD("yes"), BAD("on"), BAD("*"), BAD("&a"), BAD("!"), BAD("?"), BAD("@"), BAD("<null>"),
};

static const json_case_t structure_cases[] = {
    YES("[]"), YES("{}"), YES(" [ ] "), YES(" { } "), YES("[[]]"), YES("[{}]"), YES("[[],[],{}]"), YES("[1]"), YES("[1,2]"), YES(" [ 1 , 2 ] "),
    YES("{\"a\":1}"), YES("{\"a\":1,\"b\":2}"), YES(" { \"a\" : 1 , \"b\" : [ ] } "), YES("{\"\":0}"), YES("{\"a\":{\"b\":{\"c\":[1,{\"d\":null}]}}}"),
    YES("{\"a\":1,\"a\":2}") /* RFC 8259 leaves it to the reader */, YES("{\"\\u0061\":1}"), YES("{\"a b\":1}"), YES("[\n1\n,\n2\n]"), YES("{\"a\":[],\"b\":{}}"),
    YES("[[[[1],2],3],4]"), YES("[\"]\",\"[\",\"}\",\"{\"]"), YES("{\"}\":\"{\"}"), YES("[\"\\\"]\"]"), YES("\r\n[]\r\n"),
    BAD("[1,]"), BAD("[,1]"), BAD("[,]"), BAD("[1,,2]"), BAD("[1 2]"), BAD("[1;2]"), BAD("[1:2]"), BAD("[1}"), BAD("[}"), BAD("[1]]"), BAD("[]]"),
    BAD("[\"a\":1]"), BAD("[1],"), BAD("[1][2]"), BAD("[][]"), BAD("[] []"), BAD("[]{}"), BAD("[1]x"), BAD("]"), BAD("}"), BAD(","), BAD(":"), BAD("[a]"),
    BAD("[1,\n]"), BAD("[1\0,2]"), BAD("[\0]"), BAD("[*]"), BAD("[\"a\",]"), BAD("[\"a\"1]"), BAD("[1\"a\"]"), BAD("[[]1]"), BAD("[[] []]"), BAD("[-,1]"),
    BAD("{\"a\":1,}"), BAD("{,\"a\":1}"), BAD("{,}"), BAD("{\"a\":1,,\"b\":2}"), BAD("{\"a\" 1}"), BAD("{\"a\"}"), BAD("{\"a\",1}"), BAD("{\"a\":}"),
    BAD("{\"a\"::1}"), BAD("{:1}"), BAD("{1:1}"), BAD("{a:1}"), BAD("{'a':1}"), BAD("{null:1}"), BAD("{[]:1}"), BAD("{{}:1}"), BAD("{\"a\":1 \"b\":2}"),
    BAD("{\"a\":1;\"b\":2}"), BAD("{\"a\":1]"), BAD("{]"), BAD("{\"a\":1}}"), BAD("{}}"), BAD("{\"a\":1:2}"), BAD("{\"a\"=1}"), BAD("{\"a\"=>1}"), BAD("{\"a\":1,2}"),
    BAD("{\"a\":1,\"b\"}"), BAD("{\"a\":\"b\":\"c\"}"), BAD("{\"a\":1,b:2}"), BAD("{\"a\":1}{\"b\":2}"), BAD("{\"a\":1}\n{\"b\":2}"), BAD("{}x"), BAD("{} 1"), BAD("{\"a\n\":1}"),
    BAD("{\"a\":1}#"), BAD("{1}"), BAD("{\"a\":true \"b\"}"), BAD("{\"a\":[1,{]}"), BAD("[{\"a\":1]}"), BAD("[1,2}"), BAD("{\"a\":[}]"), BAD("{\"a\":b}"), BAD("{\"a\":,\"b\":1}"),
    CUT("["), CUT("{"), CUT("[1"), CUT("[1,"), CUT("[["), CUT("[[]"), CUT("[{}"), CUT("[{"), CUT("{\"a\""), CUT("{\"a\":"), CUT("{\"a\":1"), CUT("{\"a\":1,"),
    CUT("{\"a\":{}"), CUT("{\"a\":["), CUT("{\"a\":[1]"), CUT("[1,\n"), CUT("{ "), CUT("{\"a\" "), CUT("[\"a\","), CUT("{\"a\":[{\"b\":[{\"c\":"),
    BAD("// x\n1"), BAD("1 // x"), BAD("/* x */1"), BAD("1/**/"), BAD("[1/**/]"), BAD("[/**/]"), BAD("# x\n1"), BAD("1 # x"), BAD("[1]//"), BAD("{\"a\":/*b*/1}"), BAD("-- 1"), BAD("<!-- -->"),
    BAD("\xef\xbb\xbf{}") /* a BOM */, BAD("\xef\xbb\xbf"), BAD("\xff\xfe[\0]\0") /* UTF-16 */, BAD("\xfe\xff\0[\0]"), BAD("[\0]\0"), BAD("\0[\0]"), BAD("\xff"), BAD("[\xff]"),
    BAD("\v1"), BAD("\f1"), BAD("[\f]"), BAD("\xc2\xa0" "1") /* no-break space */, BAD("\xe2\x81\xa0[]"), BAD("\xe2\x80\xa8" "1"), BAD("1\xc2\xa0"), BAD("\xc2\x85" "1"), BAD("\x1b[1m"),
    BAD("\0"), BAD("{}\0"), BAD("\0{}"), BAD("[1]\0\0"), BAD("{\"a\":1}\x1a"), BAD(")]}',\n{}"), BAD("callback({})"), BAD("(1)"), BAD("a=1"), BAD("\"a\":1"), BAD("1,2"), BAD("---\n1"),
};
/* clang-format on */

#undef YES
#undef BAD
#undef CUT
#undef UTF
#endif
