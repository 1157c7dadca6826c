# SPDX-License-Identifier: GPL-3.0-or-later
"""A memory full of live sessions, and users with more sessions than they may have."""

import time

import pytest

from aging import fill_marks
from server import ORIGIN, PROTECTED
from visitor import Visitor

PAGE = f"{ORIGIN}/page.html"
# A user with 2,000 roles takes some 28 KiB: the smallest memory holds about forty of him.
MANY = 50


@pytest.fixture
def serve(make_httpd):
    def serve(vhost="", server=""):
        httpd = make_httpd(vhost=PROTECTED + vhost, server=server)
        httpd.page("page.html", "PROTECTED page")
        return httpd

    return serve


def is_in(visitor):
    return visitor.open(PAGE).status == 200


def test_evicting(serve, entra):
    """Everybody gets in; those who had to go are told of once a minute, not one by one."""
    httpd = serve(server="EntraSAMLSharedMemory 2M")
    visitors = [Visitor(httpd.network, entra) for _ in range(MANY)]
    assert all(visitor.sign_in(PAGE, "tess").status == 200 for visitor in visitors)
    httpd.expect("sessions-evicted", 1)
    assert "live sessions that had to go for new ones: 1." in httpd.log.find("sessions-evicted")[0]
    there = [visitor for visitor in visitors if is_in(visitor)]
    assert MANY // 2 < len(there) < MANY and visitors[-1] in there


def test_refusing(serve, entra):
    """Nobody who is in is thrown out; whoever is refused leaves no trace, and gets in as soon as somebody has left."""
    httpd = serve(server="EntraSAMLSharedMemory 2M\nEntraSAMLWhenFull refuse")
    inside = []
    while True:
        visitor = Visitor(httpd.network, entra)
        page = visitor.submit(visitor.answer(visitor.ask(PAGE), "tess"))
        if page.status != 200:
            break
        inside.append(visitor)
        assert len(inside) < MANY
    httpd.refused(page, "store-full")
    assert page.headers["Retry-After"]
    assert all(is_in(one) for one in inside) and not is_in(visitor)
    # A graceful restart: it still refuses.
    httpd.graceful()
    late = Visitor(httpd.network, entra)
    httpd.refused(late.submit(late.answer(late.ask(PAGE), "tess")), "store-full")
    inside[0].open(f"{ORIGIN}/saml/logout", initiator=PAGE)
    assert late.sign_in(PAGE, "tess").status == 200
    assert all(is_in(one) for one in inside[1:])


def test_no_room_for_a_mark(serve, entra):
    """A sign-in that could be repeated unnoticed is not let in; nobody's mark goes for it, and nobody's session. When marks
    have reached their end there is room again."""
    httpd = serve(server="EntraSAMLSharedMemory 2M")
    ada, ben = Visitor(httpd.network, entra), Visitor(httpd.network, entra)
    used = ada.answer(ada.ask(PAGE))
    assert ada.submit(used).status == 200
    fill_marks(httpd, int(time.time()) + 3600)
    page = ben.submit(ben.answer(ben.ask(PAGE), "ben"))
    httpd.refused(page, "marks-full")
    assert page.headers["Retry-After"] and not is_in(ben) and is_in(ada)
    # The one mark that counts is still there: the message that ada used opens no second session.
    session = ada.session
    assert ada.submit(used).status == 200 and ada.session == session
    fill_marks(httpd, int(time.time()) - 1)
    assert ben.sign_in(PAGE, "ben").status == 200
    assert ada.submit(used).status == 200 and ada.session == session and is_in(ada)


def test_a_user_may_have_so_many_sessions(serve, entra):
    """The one that has gone unused for longest ends, of this user only."""
    httpd = serve("EntraSAMLSessionsPerUser 2")
    ben = Visitor(httpd.network, entra)
    ben.sign_in(PAGE, "ben")
    first, second, third = (Visitor(httpd.network, entra) for _ in range(3))
    for visitor in (first, second):
        assert visitor.sign_in(PAGE).status == 200
    assert is_in(first) and is_in(second)
    assert third.sign_in(PAGE).status == 200
    assert [is_in(visitor) for visitor in (first, second, third)].count(True) == 2
    assert is_in(third) and is_in(ben)
    assert any(" ended=1" in line for line in httpd.log.new())


def test_any_number_by_default(serve, entra):
    httpd = serve()
    visitors = [Visitor(httpd.network, entra) for _ in range(12)]
    assert all(visitor.sign_in(PAGE).status == 200 for visitor in visitors)
    assert all(is_in(visitor) for visitor in visitors)


def test_a_host_may_say_otherwise(make_httpd, entra):
    """Said for all hosts, and 0 for one of them."""
    httpd = make_httpd(vhost=PROTECTED + "EntraSAMLSessionsPerUser 0", server="EntraSAMLSessionsPerUser 1")
    httpd.page("page.html", "PROTECTED page")
    visitors = [Visitor(httpd.network, entra) for _ in range(3)]
    assert all(visitor.sign_in(PAGE).status == 200 for visitor in visitors)
    assert all(is_in(visitor) for visitor in visitors)
