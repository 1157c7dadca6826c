/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What browsers and programs really send. Accept values of navigations, images and scripts: MDN "List of default Accept
 * values"; fetch metadata: W3C Fetch Metadata, as Chrome 80, Firefox 90 and Safari 16.4 and later send it.
 */
#include "policy/visitor.h"
#include "unit.h"

#define CHROME_PAGE                                                                                                    \
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"                \
    "application/signed-exchange;v=b3;q=0.7"
#define FIREFOX_PAGE "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
#define SAFARI_PAGE "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
#define CHROME_IMAGE "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
#define SAFARI_IMAGE "image/webp,image/avif,image/jxl,image/heic,image/heic-sequence,video/*;q=0.8,image/png,*/*;q=0.5"
#define URLENCODED "application/x-www-form-urlencoded"
#define MULTIPART "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW"

static const struct {
    const char *who;
    es_visitor_t expected;
    es_visitor_headers_t headers;
} visits[] = {
#define IS(kind, who, ...) { who, ES_VISITOR_##kind, { __VA_ARGS__ } },
#define ACCEPT .accept
#define MODE .sec_fetch_mode
#define DEST .sec_fetch_dest
#define TYPE .content_type
#define WITH .requested_with
#define UPGRADE .upgrade
    /* browsers with fetch metadata */
    IS(NAVIGATION, "Chrome, a link", "GET", ACCEPT = CHROME_PAGE, MODE = "navigate", DEST = "document")
        IS(NAVIGATION, "Firefox, a link", "GET", ACCEPT = FIREFOX_PAGE, MODE = "navigate", DEST = "document") IS(
            NAVIGATION, "Safari, a link", "GET", ACCEPT = SAFARI_PAGE, MODE = "navigate", DEST = "document")
            IS(NAVIGATION, "Chrome, an iframe", "GET", ACCEPT = CHROME_PAGE, MODE = "navigate", DEST = "iframe") IS(
                NAVIGATION, "Firefox, a frame of a frameset", "GET", ACCEPT = FIREFOX_PAGE, MODE = "navigate",
                DEST = "frame") IS(NAVIGATION, "a browser that sends no destination", "GET", ACCEPT = CHROME_PAGE,
                                   MODE = "navigate") IS(NAVIGATION, "Android WebView, which names its application",
                                                         "GET", ACCEPT = CHROME_PAGE, MODE = "navigate",
                                                         DEST = "document", WITH = "com.example.app")
                IS(NAVIGATION, "HEAD by a browser extension's navigation", "HEAD", ACCEPT = CHROME_PAGE,
                   MODE = "navigate", DEST = "document") IS(FORM, "Chrome, a form", "POST", ACCEPT = CHROME_PAGE,
                                                            MODE = "navigate", DEST = "document", TYPE = URLENCODED)
                    IS(FORM, "Firefox, an upload", "POST", ACCEPT = FIREFOX_PAGE, MODE = "navigate", DEST = "document",
                       TYPE = MULTIPART) IS(FORM, "Safari, a form in an iframe", "POST", ACCEPT = SAFARI_PAGE,
                                            MODE = "navigate", DEST = "iframe", TYPE = URLENCODED)
                        IS(PROGRAM, "fetch()", "GET", ACCEPT = "*/*", MODE = "cors", DEST = "empty")
                            IS(PROGRAM, "fetch() that asks for HTML (htmx, Turbo)", "GET", ACCEPT = "text/html, */*",
                               MODE = "cors", DEST = "empty") IS(PROGRAM, "fetch() with mode same-origin", "GET",
                                                                 ACCEPT = "*/*", MODE = "same-origin", DEST = "empty")
                                IS(PROGRAM, "XMLHttpRequest", "GET", ACCEPT = "*/*", MODE = "cors", DEST = "empty") IS(
                                    PROGRAM, "XMLHttpRequest POST of a form", "POST", ACCEPT = "text/html, */*",
                                    MODE = "cors", DEST = "empty", TYPE = URLENCODED)
                                    IS(PROGRAM, "fetch() POST of JSON", "POST", ACCEPT = "application/json",
                                       MODE = "cors", DEST = "empty", TYPE = "application/json")
                                        IS(PROGRAM, "sendBeacon()", "POST", ACCEPT = "*/*", MODE = "no-cors",
                                           DEST = "empty", TYPE = "text/plain") IS(PROGRAM, "Chrome, an image", "GET",
                                                                                   ACCEPT = CHROME_IMAGE,
                                                                                   MODE = "no-cors", DEST = "image")
                                            IS(PROGRAM, "Firefox, a script", "GET", ACCEPT = "*/*", MODE = "no-cors",
                                               DEST = "script") IS(PROGRAM, "Chrome, a module script", "GET",
                                                                   ACCEPT = "*/*", MODE = "cors", DEST = "script")
                                                IS(PROGRAM, "Safari, a stylesheet", "GET",
                                                   ACCEPT = "text/css,*/*;q=0.1", MODE = "no-cors", DEST = "style")
                                                    IS(PROGRAM, "Chrome, a font", "GET", ACCEPT = "*/*", MODE = "cors",
                                                       DEST = "font") IS(PROGRAM, "Chrome, a manifest", "GET",
                                                                         ACCEPT = "*/*", MODE = "cors",
                                                                         DEST = "manifest")
                                                        IS(PROGRAM, "a service worker's script", "GET", ACCEPT = "*/*",
                                                           MODE = "same-origin", DEST = "serviceworker")
                                                            IS(PROGRAM, "an object element", "GET",
                                                               ACCEPT = CHROME_PAGE, MODE = "navigate",
                                                               DEST = "object") IS(PROGRAM, "an embed element", "GET",
                                                                                   ACCEPT = CHROME_PAGE,
                                                                                   MODE = "navigate", DEST = "embed")
                                                                IS(PROGRAM, "a WebSocket", "GET", MODE = "websocket",
                                                                   DEST = "websocket", UPGRADE = "websocket")
                                                                    IS(PROGRAM, "a WebSocket without fetch metadata",
                                                                       "GET", UPGRADE = "websocket")
                                                                        IS(PROGRAM, "a WebSocket, capitals", "GET",
                                                                           UPGRADE = "WebSocket")
                                                                            IS(PROGRAM, "an EventSource", "GET",
                                                                               ACCEPT = "text/event-stream",
                                                                               MODE = "cors", DEST = "empty")
                                                                                IS(PROGRAM, "CORS preflight", "OPTIONS",
                                                                                   ACCEPT = "*/*", MODE = "cors",
                                                                                   DEST = "empty")

    /* browsers without */
    IS(NAVIGATION, "Safari 15, a link", "GET", ACCEPT = SAFARI_PAGE)
        IS(NAVIGATION, "Internet Explorer 11, a link", "GET", ACCEPT = "text/html, application/xhtml+xml, */*")
            IS(NAVIGATION, "Lynx", "GET",
               ACCEPT = "text/html, text/plain, text/sgml, text/css, application/xhtml+xml, */*;q=0.01")
                IS(FORM, "Safari 15, a form", "POST", ACCEPT = SAFARI_PAGE, TYPE = URLENCODED)
                    IS(FORM, "Safari 15, an upload", "POST", ACCEPT = SAFARI_PAGE, TYPE = MULTIPART)
                        IS(FORM, "Internet Explorer 11, a plain text form", "POST",
                           ACCEPT = "text/html, application/xhtml+xml, */*",
                           TYPE = "text/plain") IS(PROGRAM, "Safari 15, an image", "GET", ACCEPT = SAFARI_IMAGE)
                            IS(PROGRAM, "Safari 15, a stylesheet", "GET", ACCEPT = "text/css,*/*;q=0.1")
                                IS(PROGRAM, "jQuery", "GET", ACCEPT = "*/*", WITH = "XMLHttpRequest")
                                    IS(PROGRAM, "jQuery load() of a fragment", "GET", ACCEPT = "text/html, */*; q=0.01",
                                       WITH = "XMLHttpRequest")
                                        IS(PROGRAM, "jQuery, a form", "POST", ACCEPT = "text/html, */*; q=0.01",
                                           WITH = "XMLHttpRequest", TYPE = URLENCODED)
                                            IS(PROGRAM, "Axios", "GET", ACCEPT = "application/json, text/plain, */*")
                                                IS(PROGRAM, "preflight of Safari 15", "OPTIONS", ACCEPT = "*/*")

    /* programs */
    IS(NAVIGATION, "curl", "GET", ACCEPT = "*/*") IS(NAVIGATION, "curl -I", "HEAD", ACCEPT = "*/*")
        IS(NAVIGATION, "a link checker without Accept", "HEAD", .accept = NULL)
            IS(NAVIGATION, "wget -O-", "GET", ACCEPT = "*/*") IS(NAVIGATION, "an empty Accept", "GET", ACCEPT = "")
                IS(PROGRAM, "curl -d", "POST", ACCEPT = "*/*", TYPE = URLENCODED)
                    IS(PROGRAM, "a POST without Accept", "POST", TYPE = URLENCODED) IS(PROGRAM, "a POST without a type",
                                                                                       "POST", ACCEPT = SAFARI_PAGE)
                        IS(PROGRAM, "a POST of JSON that takes HTML", "POST", ACCEPT = SAFARI_PAGE,
                           TYPE = "application/json") IS(PROGRAM, "an API client", "GET", ACCEPT = "application/json")
                            IS(PROGRAM, "a feed reader", "GET", ACCEPT = "application/atom+xml, application/rss+xml")
                                IS(PROGRAM, "git over HTTP", "POST", ACCEPT = "application/x-git-upload-pack-result",
                                   TYPE = "application/x-git-upload-pack-request")
                                    IS(PROGRAM, "WebDAV", "PROPFIND", ACCEPT = "*/*")
                                        IS(PROGRAM, "PUT by a browser that navigates, which none does", "PUT",
                                           ACCEPT = CHROME_PAGE, MODE = "navigate", DEST = "document")
                                            IS(PROGRAM, "a method in lower case is another method", "get",
                                               ACCEPT = SAFARI_PAGE)

    /* the grammar of Accept (RFC 9110 section 12.5.1) */
    IS(NAVIGATION, "capitals and blanks", "GET", ACCEPT = "  TEXT/HTML ; charset=utf-8 , application/json")
        IS(NAVIGATION, "HTML last", "GET",
           ACCEPT = "application/json,text/html") IS(NAVIGATION, "a small weight", "GET", ACCEPT = "text/html;q=0.001")
            IS(NAVIGATION, "anything, with a weight", "GET", ACCEPT = "*/*;q=0.8")
                IS(PROGRAM, "HTML refused", "GET", ACCEPT = "application/json, text/html;q=0")
                    IS(PROGRAM, "HTML refused at length", "GET",
                       ACCEPT = "application/json, text/html; charset=utf-8; q=0.000")
                        IS(PROGRAM, "anything refused", "GET", ACCEPT = "*/*;q=0")
                            IS(PROGRAM, "a type that only starts so", "GET", ACCEPT = "text/html-sandboxed")
                                IS(PROGRAM, "a parameter that looks so", "GET", ACCEPT = "application/json;x=text/html")
};

#define COUNT (int)(sizeof visits / sizeof *visits)

START_TEST(visit)
{
    static const char *const kinds[] = { "navigation", "form", "program" };
    es_visitor_t visitor = es_visitor_read(&visits[_i].headers);

    ck_assert_msg(visitor == visits[_i].expected, "%s: expected %s, got %s", visits[_i].who, kinds[visits[_i].expected],
                  kinds[visitor]);
}
END_TEST

START_TEST(frames)
{
    ck_assert(es_visitor_is_framed("iframe") && es_visitor_is_framed("frame") && es_visitor_is_framed("IFRAME"));
    ck_assert(!es_visitor_is_framed("document") && !es_visitor_is_framed("object") && !es_visitor_is_framed("iframes"));
    ck_assert(!es_visitor_is_framed("") && !es_visitor_is_framed(NULL));
}
END_TEST

Suite *suite_visitor(void)
{
    Suite *suite = suite_create("visitor");

    tcase_add_loop_test(unit_case(suite, "visits"), visit, 0, COUNT);
    tcase_add_test(unit_case(suite, "frames"), frames);
    return suite;
}
