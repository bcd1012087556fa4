"""{% asset "app.css" %}: the address of a bundle of style sheets or scripts."""

from django import template

from web import assets

register = template.Library()
register.simple_tag(assets.address, name="asset")
