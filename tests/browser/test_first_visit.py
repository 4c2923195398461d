"""A server that has just started, on a home folder that does not exist yet."""

import pytest
from playwright.sync_api import expect

from tests.browser.driving import MENU, PROJECT

pytestmark = pytest.mark.browser


def test_the_first_visit_logs_no_error_and_the_menu_opens_every_page(new_server, new_screen):
    screen, errors = new_screen(new_server()), []
    screen.page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    screen.page.on("pageerror", lambda error: errors.append(str(error)))
    screen.page.on("requestfailed", lambda request: errors.append(f"{request.url}: {request.failure}"))
    screen.page.on(
        "response", lambda response: response.status >= 400 and errors.append(f"{response.url}: {response.status}")
    )
    screen.open()
    screen.expect_page("Overview")
    expect(screen.widget("demo_button").get_by_role("button")).to_be_enabled()
    assert errors == []
    for title in (*MENU[1:], MENU[0]):
        screen.go(title)
    assert errors == []


@pytest.mark.parametrize("title", MENU[1:])
def test_a_link_to_a_page_opens_it_with_the_menu(new_server, new_screen, title):
    screen = new_screen(new_server())
    screen.open(title.lower())
    screen.expect_page(title)
    expect(screen.page.get_by_text("Page not found")).to_have_count(0)


def test_only_the_pages_of_the_menu_are_served(server, new_screen):
    assert list((PROJECT / "pages").glob("*.py")) == []  # Streamlit would serve these as pages
    screen = new_screen(server)
    screen.open("charts")  # pages/components/charts.py
    expect(screen.page.get_by_text("Page not found")).to_be_visible()
    screen.expect_page("Overview")
