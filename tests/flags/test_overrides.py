"""Who may override a freeze or an approval: an admin, with a reason, by whatever way."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from flags.models import Flag, FlagVersion, Launch, Policy
from projects.keys import mint
from projects.models import Environment, Role
from tests.conftest import Cast
from tests.flags.conftest import Asker, MakeFlag

pytestmark = pytest.mark.django_db
BASE = "/api/v1/projects/acme/environments/production"
DAY = timezone.now().date() + timedelta(days=7)
FLIP = {"at": f"{DAY}T10:00:00Z", "patch": {"enabled": True}}


@pytest.fixture
def off(make_flag: MakeFlag, environment: Environment) -> Flag:
    flag = make_flag(enabled=False, default_variant="on")
    Policy.objects.create(environment=environment, approval=True)
    return flag


@pytest.fixture(params=["editor", "admin"])
def role(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def asks(cast: Cast, role: str) -> Asker:
    return Asker(mint(cast.project, "api", name="ci", created_by="a@b.example", role=Role(role))[1])


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/flags/USE_CACHING", {"enabled": True}),
        (
            "POST",
            "/flags",
            {"key": "NEW", "type": "boolean", "enabled": True, "default_variant": "on"},
        ),
        ("POST", "/flags/USE_CACHING/plans", FLIP),
        ("POST", "/launches", {"name": "L", "plans": [{"flag": "USE_CACHING", "plan": FLIP}]}),
    ],
    ids=["flag changed", "flag made", "change planned", "launch planned"],
)
def test_an_editors_token_may_not_override_and_an_admins_may(
    off: Flag, asks: Asker, role: str, method: str, path: str, body: dict[str, object]
) -> None:
    answer = asks(method, f"{BASE}{path}", body | {"override": "it burns"})
    if role == "editor":
        assert answer.status_code == 403
        assert answer.json()["error"]["field"] == "override"
        assert "Only an admin" in answer.json()["error"]["message"]
        assert (Flag.objects.count(), FlagVersion.objects.count()) == (1, 1)
        assert not Launch.objects.exists()
    else:
        assert answer.status_code in (200, 201)
        said = [*FlagVersion.objects.values_list("reason", flat=True)]
        said += Launch.objects.values_list("reason", flat=True)
        assert any("it burns" in reason for reason in said)


def test_changing_a_plan_is_no_way_around(cast: Cast, off: Flag) -> None:
    editor = Asker(mint(cast.project, "api", name="e", created_by="a@b.example", role="editor")[1])
    made = editor("POST", f"{BASE}/flags/USE_CACHING/plans", FLIP).json()
    answer = editor("PATCH", f"{BASE}/plans/{made['id']}", FLIP | {"override": "now"})
    assert answer.status_code == 403
    assert editor("GET", f"{BASE}/plans/{made['id']}").json()["status"] == "waiting"


def test_pages_offer_an_override_to_admins_alone(
    off: Flag, editor_page: Client, admin_page: Client
) -> None:
    pages = ("flags/USE_CACHING/edit", "launches/new", "import")
    for path in pages:
        assert b'name="override"' not in editor_page.get(f"/acme/production/{path}").content
        assert b'name="override"' in admin_page.get(f"/acme/production/{path}").content


def test_a_form_that_sends_it_all_the_same_is_refused(off: Flag, editor_page: Client) -> None:
    form = {"action": "save", "enabled": "on", "default_variant": "on", "override": "me"}
    answer = editor_page.post("/acme/production/flags/USE_CACHING/edit", form)
    assert answer.status_code == 422
    assert b"Only an admin" in answer.content
    form = {"action": "save", "name": "L", "flag_1": "USE_CACHING", "override": "me"}
    form |= {"does_1": "on", "date": str(DAY), "time": "10:00", "timezone": "UTC"}
    answer = editor_page.post("/acme/production/launches/new", form)
    assert answer.status_code == 422
    assert b"Only an admin" in answer.content
    assert not Launch.objects.exists()
