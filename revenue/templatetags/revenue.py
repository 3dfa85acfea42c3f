"""Amounts in the report pages, as everywhere in the console."""

from __future__ import annotations

from decimal import Decimal

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from o2c.console import format as fmt

register = template.Library()


@register.simple_tag
def amount(value: Decimal, currency: str) -> SafeString:
    """An amount without its currency, which row or column names; a dash for zero."""
    if not value:
        return fmt.DASH
    sign = " o-neg" if value < 0 else ""
    figure = fmt.plain_money(value, currency)
    return format_html('<span class="o-money{}"><span class="o-figure">{}</span></span>', sign, figure)
