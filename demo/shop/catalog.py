"""What there is to buy. Asked by the storefront only."""

from demo.shop.service import Call, Refused, Response, Route


def items(call: Call) -> Response:
    words = call.request.query.get("q", "")
    call.work(22, spread=0.4)
    results = call.chance.randrange(240)
    call.note(search__length=len(words), search__results=results, db__queries=1)
    return Response(200, {"results": results})


def item(call: Call) -> Response:
    call.work(12, spread=0.3)
    if call.chance.random() < 0.002:
        raise Refused(404, "No such product")
    call.note(product__id=call.part, cache__hit=call.chance.random() < 0.8, db__queries=1)
    return Response(200)


ROUTES = (Route("GET", "/items", items), Route("GET", "/items/{id}", item))
