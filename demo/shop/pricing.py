"""What it costs. Asked by the storefront only; it has a flag of its own."""

from demo.shop.service import Call, Response, Route


def quote(call: Call) -> Response:
    whole = call.flag("ROUND_TAX")
    units = int(call.request.query.get("units", "1"))
    call.work(14, spread=0.3)
    net = units * (9 + call.chance.expovariate(1 / 35))
    total = net * 1.15
    call.note(
        cart__items=units,
        price__net=round(net, 2),
        price__tax=round(total - net, 0 if whole else 2),
        price__currency=call.person.currency,
        db__queries=1,
    )
    return Response(200, {"total": round(total, 2)})


ROUTES = (Route("GET", "/quote", quote),)
