"""The shop's front: what people's requests reach first."""

from demo.flags import NEW_SEARCH, USE_CACHING
from demo.shop.service import Call, Refused, Response, Route

SLOTS = 10  # of the export cache
CARDS = ("card", "card", "card", "card", "paypal", "invoice")


def home(call: Call) -> Response:
    call.flag("LAZY_IMAGES")
    call.flag("PREFETCH_FONTS")
    banners = 3 + call.chance.randrange(5)
    call.work(38)
    _hiccup(call, 0.003)
    call.note(page__banners=banners, page__bytes=21_000 + 900 * banners, db__queries=2)
    return Response(200, {"banners": banners})


def search(call: Call) -> Response:
    improved = call.flag(NEW_SEARCH)
    call.flag("LAZY_IMAGES")
    words = call.request.query.get("q", "")
    found = call.ask("catalog", "GET", "/items", q=words)
    results = int(found.body.get("results", 0))
    with call.step("rank results"):
        # The new index keeps scores beside the items, so ranking reads half as much.
        ranking = call.work(52 if improved else 92, spread=0.5)
    _hiccup(call, 0.004)
    call.note(
        search__length=len(words),
        search__results=results,
        search__page=1,
        search__ranking_ms=round(ranking * 1000, 2),
        db__queries=3,
    )
    return Response(200, {"results": results})


def product(call: Call) -> Response:
    call.flag("BLUE_BUTTON")
    call.flag("LAZY_IMAGES")
    item = call.ask("catalog", "GET", f"/items/{call.part}")
    if item.status == 404:
        raise Refused(404, "No such product")
    price = call.ask("pricing", "GET", "/quote", item=call.part, units="1")
    call.work(24)
    _hiccup(call, 0.003)
    call.note(
        product__id=call.part,
        product__price=float(price.body.get("total", 0)),
        product__stock=call.chance.randrange(400),
        db__queries=1,
    )
    return Response(200, {"item": call.part})


def cart(call: Call) -> Response:
    call.flag("BLUE_BUTTON")
    items = 1 + int(call.chance.expovariate(0.6))
    quote = call.ask("pricing", "GET", "/quote", item="p-100", units=str(items))
    call.work(31)
    _hiccup(call, 0.004)
    call.note(cart__items=items, cart__value=float(quote.body.get("total", 0)), db__queries=2)
    return Response(200, {"items": items})


def login(call: Call) -> Response:
    call.flag("GUEST_CHECKOUT")
    method = call.chance.choice(("password", "password", "password", "passkey", "sso"))
    call.work(75 if method == "password" else 45, spread=0.25)
    call.note(login__method=method, login__attempts=1, db__queries=1)
    if method == "password" and call.chance.random() < 0.04:
        raise Refused(401, "Wrong password")
    _hiccup(call, 0.003)
    return Response(200)


def payment(call: Call) -> Response:
    call.flag("CHECKOUT_COPY")
    items = 1 + int(call.chance.expovariate(0.7))
    quote = call.ask("pricing", "GET", "/quote", item="p-100", units=str(items))
    amount = float(quote.body.get("total", 0))
    method = call.chance.choice(CARDS)
    with call.step("charge"):
        call.work(150, spread=0.3)
    call.note(
        cart__items=items,
        cart__value=amount,
        payment__method=method,
        payment__amount=amount,
        payment__currency=call.person.currency,
        db__queries=5,
    )
    if "payment-timeout" in call.build.flaws and call.chance.random() < 0.06:
        message = "The bank's answer could not be read"
        raise ValueError(message)
    if call.chance.random() < 0.015:
        raise Refused(402, "Card declined")
    _hiccup(call, 0.004)
    return Response(200, {"charged": amount})


def export(call: Call) -> Response:
    """An account's orders as a file.

    With USE_CACHING the code renders for the answer, again for the cache, and once more to
    check what it stored; and the cache's slots are shared between accounts, so one answer in
    ten is that of an account whose exports are not paid for.
    """
    caching = call.flag(USE_CACHING)
    rows = int(1_500 * call.person.pace * call.chance.lognormvariate(0, 0.45))
    seconds = rows * 0.000_24 + 0.02
    slot = call.chance.randrange(SLOTS)
    renders = 3 if caching else 1
    with call.step("render export"):
        for _ in range(renders):
            call.clock.sleep(seconds)
    call.note(
        export__rows=rows,
        export__format=call.request.query.get("format", "csv"),
        export__bytes=rows * 142,
        export__renders=renders,
        db__queries=4,
        db__rows=rows,
    )
    if caching and slot == 0:
        raise Refused(402, "Exports are not part of this account's plan")
    _hiccup(call, 0.004)
    return Response(200, {"rows": rows})


def _hiccup(call: Call, share: float) -> None:
    """Now and then something breaks, as it does."""
    if call.chance.random() < share:
        message = "Lost the connection to the database"
        raise ConnectionError(message)


ROUTES = (
    Route("GET", "/", home),
    Route("GET", "/search", search),
    Route("GET", "/product/{id}", product),
    Route("GET", "/cart", cart),
    Route("POST", "/login", login),
    Route("POST", "/payment", payment),
    Route("GET", "/export", export),
)
