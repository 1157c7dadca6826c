/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "xml/xml.h"

#include <apr_strings.h>
#include <stdio.h>
#include <unistd.h>

static es_rv_t load_octets(xmlNodePtr *root, es_bytes_t octets, es_xml_kind_t kind, es_why_t *why)
{
    xmlDocPtr doc;
    es_rv_t rv = es_xml_load(&doc, octets, kind, why, unit_pool);

    if (rv == ES_OK) {
        *root = xmlDocGetRootElement(doc);
    }
    return rv;
}

static xmlNodePtr load(const char *text)
{
    es_why_t why = ES_WHY_INIT;
    xmlNodePtr root = NULL;

    ck_assert_reason(load_octets(&root, es_bytes_of(text), ES_XML_MESSAGE, &why), ES_OK, why);
    return root;
}

static void refused(const char *text, es_rv_t rv, es_xml_kind_t kind)
{
    es_why_t why = ES_WHY_INIT;
    xmlNodePtr root = NULL;

    ck_assert_reason(load_octets(&root, es_bytes_of(text), kind, &why), rv, why);
    ck_assert_ptr_null(root);
    ck_assert_int_ne(why.text[0], '\0');
}

static char *repeated(const char *piece, int count)
{
    const apr_size_t len = strlen(piece);
    char *text = apr_palloc(unit_pool, len * (apr_size_t)count + 1);
    int i;

    for (i = 0; i < count; i++) {
        memcpy(text + (apr_size_t)i * len, piece, len);
    }
    text[len * (apr_size_t)count] = '\0';
    return text;
}

/* libxml2 reads on behind an error, but tells its callbacks nothing more: nothing may hide there. */
START_TEST(nothing_hides_behind_an_error)
{
    static const char defaults[] = "<!DOCTYPE r [<!ATTLIST a b CDATA ''>]><r><a/></r>";
    const char *crowded = apr_pstrcat(unit_pool, "<a ", repeated("b='' ", ES_XML_MAX_ATTRIBUTES + 1), "/></r>", NULL);
    es_why_t why = ES_WHY_INIT;
    xmlNodePtr root;

    refused(apr_pstrcat(unit_pool, "<?xml version='1.0' >", defaults, NULL), ES_XML_DOCTYPE, ES_XML_MESSAGE);
    refused(apr_pstrcat(unit_pool, "<r>&nope;<!-- \" -->", crowded, NULL), ES_XML_LIMIT, ES_XML_MESSAGE);
    refused(apr_pstrcat(unit_pool, "<r><x \" >", crowded, NULL), ES_XML_LIMIT, ES_XML_MESSAGE);
    refused(" <?xml version='1.0'?><a/>", ES_XML_FORBIDDEN_NODE, ES_XML_MESSAGE);
    /* The first error is the last. */
    ck_assert_reason(load_octets(&root, es_bytes_of("<r>&nope;\n\n&never;</r>"), ES_XML_METADATA, &why),
                     ES_XML_MALFORMED, why);
    ck_assert_ptr_nonnull(strstr(why.text, "line 1:"));
}
END_TEST

START_TEST(malformed)
{
    static const char *const texts[] = {
        "",
        " ",
        "x",
        "<a>",
        "<a/>x",
        "<a/><b/>",
        "<a b='1' b='2'/>",
        "<p:a/>",
        "<a xmlns:p='u:u' xmlns:q='u:u' p:b='1' q:b='2'/>",
        "<a xmlns:p=''/>",
        "<a xmlns:xml='u:u'/>",
        "<a:b:c xmlns:a='u:u'/>",
        "<a>&foo;</a>",
        "<a b='&foo;'/>",
        "<a>&#1;</a>",
        "<a>&#xD800;</a>",
        "<a>\x80</a>",
        "<a>\xc0\xbc</a>",
        "<a>\xed\xa0\x80</a>",
        "<a>\xef\xbf\xbe</a>",
        "<a>\xf4\x90\x80\x80</a>",
        "<a b='\xc3('/>",
        "\xef\xbb\xbf\xef\xbb\xbf<a/>",
        "<?xml version='2.0'?><a/>",
        "<?xml version='1.0' encoding='ISO-8859-1'?><a/>",
        "<?xml version='1.0' encoding='US-ASCII'?><a/>",
        "<?xml version='1.0' encoding='UTF-16'?><a/>",
        "<?xml version='1.0' encoding='UTF-7'?><a>+ADw-</a>",
        "<?xml version='1.0' encoding='no-such'?><a/>",
    };
    size_t i;

    for (i = 0; i < sizeof texts / sizeof *texts; i++) {
        refused(texts[i], ES_XML_MALFORMED, ES_XML_MESSAGE);
        refused(texts[i], ES_XML_MALFORMED, ES_XML_METADATA);
    }
}
END_TEST

/* libxml2 takes a NUL for the end of the document and would not look at what follows. */
START_TEST(nul)
{
    es_why_t why = ES_WHY_INIT;
    xmlNodePtr root = NULL;

    ck_assert_reason(load_octets(&root, es_bytes("<a/>\0<b/>", 9), ES_XML_MESSAGE, &why), ES_XML_MALFORMED, why);
    why.rv = ES_OK;
    ck_assert_reason(load_octets(&root, es_bytes("<a/>\0", 5), ES_XML_METADATA, &why), ES_XML_MALFORMED, why);
}
END_TEST

START_TEST(utf16)
{
    static const char little[] = "<\0a\0/\0>", marked[] = "\xff\xfe<\0a\0/\0>";
    es_why_t why = ES_WHY_INIT;
    xmlNodePtr root = NULL;

    ck_assert_reason(load_octets(&root, es_bytes(little, sizeof little), ES_XML_MESSAGE, &why), ES_XML_MALFORMED, why);
    why.rv = ES_OK;
    ck_assert_reason(load_octets(&root, es_bytes(marked, sizeof marked), ES_XML_MESSAGE, &why), ES_XML_MALFORMED, why);
}
END_TEST

START_TEST(utf8)
{
    ck_assert_str_eq(es_xml_text(load("\xef\xbb\xbf<a>Zo\xc3\xab</a>"), unit_pool), "Zo\xc3\xab");
    ck_assert_str_eq(es_xml_text(load("<?xml version='1.0' encoding='utf-8'?><a>x</a>"), unit_pool), "x");
    ck_assert_str_eq(es_xml_text(load("<?xml version='1.0'?><a>\xf0\x9f\x98\x80</a>"), unit_pool), "\xf0\x9f\x98\x80");
}
END_TEST

START_TEST(doctype)
{
    static const char *const texts[] = {
        "<!DOCTYPE a><a/>",
        "<!DOCTYPE a []><a/>",
        "<!DOCTYPE a SYSTEM 'file:///dev/null'><a/>",
        "<!DOCTYPE a PUBLIC '-//x' 'http://127.0.0.1:1/x'><a/>",
        "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
        "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/hostname'>]><a>&x;</a>",
        "<!DOCTYPE a [<!ATTLIST a b ID #IMPLIED>]><a b='c'/>",
        "<!DOCTYPE a [<!ENTITY",
    };
    size_t i;

    for (i = 0; i < sizeof texts / sizeof *texts; i++) {
        refused(texts[i], ES_XML_DOCTYPE, ES_XML_MESSAGE);
        refused(texts[i], ES_XML_DOCTYPE, ES_XML_METADATA);
    }
}
END_TEST

START_TEST(forbidden_nodes)
{
    static const char *const texts[] = { "<a>x<!---->y</a>", "<!-- x --><a/>",           "<a/><!-- x -->",
                                         "<a>x<?y?></a>",    "<?xml-stylesheet z?><a/>", "<a><![CDATA[x]]></a>" };
    es_why_t why = ES_WHY_INIT;
    xmlNodePtr root = NULL;
    size_t i;

    for (i = 0; i < sizeof texts / sizeof *texts; i++) {
        refused(texts[i], ES_XML_FORBIDDEN_NODE, ES_XML_MESSAGE);
        ck_assert_reason(load_octets(&root, es_bytes_of(texts[i]), ES_XML_METADATA, &why), ES_OK, why);
    }
    ck_assert_reason(load_octets(&root, es_bytes_of("<a>x<!-- -->y<![CDATA[<z>]]></a>"), ES_XML_METADATA, &why), ES_OK,
                     why);
    ck_assert_str_eq(es_xml_text(root, unit_pool), "xy<z>");
}
END_TEST

/* `inner`, repeated: `count` passes, one more does not. */
static void limit(const char *before, const char *inner, const char *after, int count, int in_metadata)
{
    const char *fits = apr_pstrcat(unit_pool, before, repeated(inner, count), after, NULL);
    const char *more = apr_pstrcat(unit_pool, before, repeated(inner, count + 1), after, NULL);
    es_why_t why = ES_WHY_INIT;
    xmlNodePtr root = NULL;

    load(fits);
    refused(more, ES_XML_LIMIT, ES_XML_MESSAGE);
    if (in_metadata) {
        refused(more, ES_XML_LIMIT, ES_XML_METADATA);
    } else {
        ck_assert_reason(load_octets(&root, es_bytes_of(more), ES_XML_METADATA, &why), ES_OK, why);
    }
}

START_TEST(limits)
{
    const char *attributes = "<a", *namespaces = "";
    int i;

    limit("<a>", "x", "</a>", (int)ES_XML_MAX_OCTETS - 7, 1);
    limit("<a>", "<b/>", "</a>", ES_XML_MAX_ELEMENTS - 1, 1);
    for (i = 0; i < ES_XML_MAX_ATTRIBUTES; i++) {
        attributes = apr_psprintf(unit_pool, "%s b%d='='", attributes, i);
        namespaces = apr_psprintf(unit_pool, "%s xmlns:n%d='u:%d'", namespaces, i, i);
    }
    limit(attributes, " c='d'", "/>", 0, 0);
    limit(apr_pstrcat(unit_pool, "<a", namespaces, ">", NULL), "<b xmlns:c='u:c'/>", "</a>", 0, 1);
}
END_TEST

START_TEST(depth)
{
    const char *fits = apr_pstrcat(unit_pool, repeated("<a>", 32), repeated("</a>", 32), NULL);
    const char *more = apr_pstrcat(unit_pool, repeated("<a>", 33), repeated("</a>", 33), NULL);

    load(fits);
    refused(more, ES_XML_LIMIT, ES_XML_MESSAGE);
    refused(more, ES_XML_LIMIT, ES_XML_METADATA);
    refused(repeated("<a>", 500000), ES_XML_LIMIT, ES_XML_MESSAGE); /* long before it turns out to be malformed */
}
END_TEST

/* Equals signs in text and in values are no attributes. */
START_TEST(equals_signs)
{
    load(apr_pstrcat(unit_pool, "<a b=\"", repeated("=", 200), "\">", repeated("='\"> ", 200), "</a>", NULL));
}
END_TEST

/* Whatever comes, nothing is written to the error log behind the administrator's back. */
START_TEST(silence)
{
    FILE *caught = tmpfile();
    int saved = dup(STDERR_FILENO);

    fflush(stderr);
    dup2(fileno(caught), STDERR_FILENO);
    refused("<a><b></a>", ES_XML_MALFORMED, ES_XML_MESSAGE);
    refused("<a>\x80</a>", ES_XML_MALFORMED, ES_XML_METADATA);
    refused("<!DOCTYPE a SYSTEM 'x'><a/>", ES_XML_DOCTYPE, ES_XML_METADATA);
    load("<a xmlns='relative'/>");
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    fseek(caught, 0, SEEK_END);
    ck_assert_int_eq(ftell(caught), 0);
    fclose(caught);
}
END_TEST

START_TEST(names)
{
    xmlNodePtr root = load("<a xmlns='u:1' xmlns:p='u:2'><p:a/><b xmlns=''/></a>");

    ck_assert(es_xml_is(root, "u:1", "a"));
    ck_assert(!es_xml_is(root, "u:2", "a"));
    ck_assert(!es_xml_is(root, "u:1", "b"));
    ck_assert(!es_xml_is(NULL, "u:1", "a"));
    ck_assert(es_xml_is(es_xml_first(root), "u:2", "a"));
    ck_assert(!es_xml_is(es_xml_next(es_xml_first(root)), "u:1", "b"));
    ck_assert(!es_xml_is(es_xml_next(es_xml_first(root)), "", "b") ||
              es_xml_next(es_xml_first(root))->ns != NULL); /* no namespace is never a namespace */
    ck_assert(!es_xml_is(root->children->children, "u:1", "a"));
}
END_TEST

START_TEST(walk)
{
    xmlNodePtr root = load("<a> <b><c/></b> <d>x</d> </a>"), node;
    char order[8] = "";

    for (node = root; node; node = es_xml_walk(node, root)) {
        strcat(order, (const char *)node->name);
    }
    ck_assert_str_eq(order, "abcd");
    /* a walk below an element does not leave it */
    ck_assert_str_eq((const char *)es_xml_walk(es_xml_first(root), es_xml_first(root))->name, "c");
    ck_assert_ptr_null(es_xml_walk(es_xml_first(es_xml_first(root)), es_xml_first(root)));
    ck_assert_ptr_null(es_xml_first(es_xml_next(es_xml_first(root))));
}
END_TEST

START_TEST(child)
{
    xmlNodePtr root = load("<a xmlns='u:1'><b n='1'/><c/><b n='2'/><b xmlns='u:2'/></a>"), found = root;

    ck_assert_int_eq(es_xml_child(&found, root, "u:1", "b"), 2);
    ck_assert_str_eq(es_xml_attribute(found, "n", unit_pool), "1");
    ck_assert_int_eq(es_xml_child(&found, root, "u:1", "c"), 1);
    ck_assert_int_eq(es_xml_child(&found, root, "u:1", "d"), 0);
    ck_assert_ptr_null(found);
}
END_TEST

START_TEST(attributes)
{
    xmlNodePtr root = load("<a xmlns:p='u:1' p:b='far' b='R&amp;D &#60;' c='' xml:id='i'/>");

    ck_assert_str_eq(es_xml_attribute(root, "b", unit_pool), "R&D <");
    ck_assert_str_eq(es_xml_attribute(root, "c", unit_pool), "");
    ck_assert_ptr_null(es_xml_attribute(root, "id", unit_pool));
    ck_assert_ptr_null(es_xml_attribute(root, "p:b", unit_pool));
    ck_assert_ptr_null(es_xml_attribute(root, "d", unit_pool));
    root = load("<a xmlns:p='u:1' p:b='far'/>");
    ck_assert_ptr_null(es_xml_attribute(root, "b", unit_pool));
    ck_assert_str_eq(es_xml_value(root->properties, unit_pool), "far");
}
END_TEST

START_TEST(text)
{
    ck_assert_str_eq(es_xml_text(load("<a/>"), unit_pool), "");
    ck_assert_str_eq(es_xml_text(load("<a>  x\n </a>"), unit_pool), "  x\n ");
    ck_assert_str_eq(es_xml_text(load("<a>R&amp;D &#xD;&lt;</a>"), unit_pool), "R&D \r<");
    ck_assert_ptr_null(es_xml_text(load("<a>x<b/></a>"), unit_pool));
    ck_assert_ptr_null(es_xml_text(load("<a><b/></a>"), unit_pool));
    ck_assert_uint_eq(
        strlen(es_xml_text(load(apr_pstrcat(unit_pool, "<a>", repeated("y", 300000), "</a>", NULL)), unit_pool)),
        300000);
}
END_TEST

START_TEST(element_only)
{
    ck_assert(es_xml_is_element_only(load("<a/>")));
    ck_assert(es_xml_is_element_only(load("<a> <b>x</b>\n\t<c/> </a>")));
    ck_assert(!es_xml_is_element_only(load("<a> <b/>x</a>")));
    ck_assert(!es_xml_is_element_only(load("<a>x</a>")));
    ck_assert(!es_xml_is_element_only(load("<a>&#xA0;<b/></a>")));
}
END_TEST

Suite *suite_xml(void)
{
    Suite *suite = suite_create("xml");
    TCase *tcase = unit_case(suite, "parser");

    tcase_add_test(tcase, nothing_hides_behind_an_error);
    tcase_add_test(tcase, malformed);
    tcase_add_test(tcase, nul);
    tcase_add_test(tcase, utf16);
    tcase_add_test(tcase, utf8);
    tcase_add_test(tcase, doctype);
    tcase_add_test(tcase, forbidden_nodes);
    tcase_add_test(tcase, limits);
    tcase_add_test(tcase, depth);
    tcase_add_test(tcase, equals_signs);
    tcase_add_test(tcase, silence);
    tcase = unit_case(suite, "tree");
    tcase_add_test(tcase, names);
    tcase_add_test(tcase, walk);
    tcase_add_test(tcase, child);
    tcase_add_test(tcase, attributes);
    tcase_add_test(tcase, text);
    tcase_add_test(tcase, element_only);
    return suite;
}
