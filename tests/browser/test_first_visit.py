"""A server that has just started, on a home that does not exist yet."""

import pytest
from playwright.sync_api import expect

from tests.browser.driving import MENU, PROJECT

pytestmark = pytest.mark.browser


def test_the_first_visit_leaves_the_console_clean_and_the_menu_leads_to_every_page(new_server, new_screen):
    screen, complaints = new_screen(new_server()), []
    screen.page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    screen.page.on("pageerror", lambda error: complaints.append(str(error)))
    screen.page.on("requestfailed", lambda request: complaints.append(f"{request.url}: {request.failure}"))
    screen.page.on(
        "response", lambda response: response.status >= 400 and complaints.append(f"{response.url}: {response.status}")
    )
    screen.open()
    screen.expect_page("Overview")
    expect(screen.widget("demo_button").get_by_role("button")).to_be_enabled()
    assert complaints == []
    for title in (*MENU[1:], MENU[0]):
        screen.go(title)
    assert complaints == []


@pytest.mark.parametrize("title", MENU[1:])
def test_a_deep_link_opens_its_page_within_the_menu(new_server, new_screen, title):
    screen = new_screen(new_server())
    screen.open(title.lower())
    screen.expect_page(title)
    expect(screen.page.get_by_text("Page not found")).to_have_count(0)


def test_nothing_but_the_menu_is_served(server, new_screen):
    assert list((PROJECT / "pages").glob("*.py")) == []  # Streamlit's old router would serve these on its own
    screen = new_screen(server)
    screen.open("state")  # pages/components/state.py
    expect(screen.page.get_by_text("Page not found")).to_be_visible()
    screen.expect_page("Overview")
