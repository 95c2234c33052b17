"""Random VAT invoices: paper, electronic, and those of today that are digital altogether."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Literal

from ocr_moe.generation.codes import vat_code
from ocr_moe.generation.dates import capital_money, random_day
from ocr_moe.generation.documents.businesses import draw_licence
from ocr_moe.generation.documents.graduates import draw_name
from ocr_moe.generation.facts import Facts, Rows
from ocr_moe.generation.lexicons import Goods, invoices, regions
from ocr_moe.types import Value

Edition = Literal["paper", "electronic", "digital"]

TYPES = {
    ("paper", True): "增值税专用发票",
    ("paper", False): "增值税普通发票",
    ("electronic", True): "增值税电子专用发票",
    ("electronic", False): "增值税电子普通发票",
    ("digital", True): "电子发票（增值税专用发票）",
    ("digital", False): "电子发票（普通发票）",
}
MARK_TYPES = {
    ("paper", True): "01",
    ("paper", False): "04",
    ("electronic", True): "08",
    ("electronic", False): "10",
    ("digital", True): "31",
    ("digital", False): "32",
}
"""What an invoice's QR code calls its kind."""
PERIODS = {
    "paper": (date(2014, 8, 1), date(2023, 11, 30)),
    "electronic": (date(2016, 2, 1), date(2023, 11, 30)),
    "digital": (date(2022, 9, 1), date(2025, 5, 30)),
}
CENT = Decimal("0.01")


class Party(Value):
    """Who buys or sells; empty where the invoice does not say."""

    name: str
    number: str = ""
    address: str = ""
    """Address and telephone."""
    account: str = ""
    """Bank and account."""


class Line(Value):
    """A line of an invoice, as it is printed."""

    name: str
    spec: str
    unit: str
    quantity: str
    price: str
    amount: str
    rate: str
    tax: str


class Invoice(Facts):
    """One VAT invoice."""

    edition: Edition
    special: bool
    """专用: the buyer may deduct the tax."""
    place: str
    """The province in its title."""
    code: str
    number: str
    issued: str
    check: str
    machine: str
    cipher: tuple[str, ...]
    """The rows of the box 密码区."""
    buyer: Party
    seller: Party
    lines: tuple[Line, ...]
    amount: str
    tax: str | None
    """None where all lines are free of tax."""
    total: str
    capitals: str
    payee: str
    reviewer: str
    issuer: str
    remark: str

    @property
    def type(self) -> str:
        return TYPES[self.edition, self.special]

    def truth(self) -> dict[str, str | None]:
        return {
            "发票类型": self.type,
            "发票代码": self.code or None,
            "发票号码": self.number,
            "开票日期": self.issued,
            "校验码": self.check or None,
            "机器编号": self.machine or None,
            "购买方名称": self.buyer.name,
            "购买方识别号": self.buyer.number or None,
            "购买方地址电话": self.buyer.address or None,
            "购买方开户行及账号": self.buyer.account or None,
            "销售方名称": self.seller.name,
            "销售方识别号": self.seller.number,
            "销售方地址电话": self.seller.address or None,
            "销售方开户行及账号": self.seller.account or None,
            "金额": self.amount,
            "税额": self.tax,
            "价税合计": self.total,
            "价税合计大写": self.capitals,
            "收款人": self.payee or None,
            "复核": self.reviewer or None,
            "开票人": self.issuer,
        }

    def rows(self) -> dict[str, Rows]:
        named = ("名称", "规格型号", "单位", "数量", "单价", "金额", "税率", "税额")
        cells = (
            (e.name, e.spec, e.unit, e.quantity, e.price, e.amount, e.rate, e.tax)
            for e in self.lines
        )
        return {
            "明细": tuple(
                {name: cell for name, cell in zip(named, row, strict=True) if cell} for row in cells
            )
        }

    @property
    def stem(self) -> str:
        return f"{self.number}_{self.seller.name}_发票"

    @property
    def owner(self) -> str:
        return self.seller.name


def draw_invoice(rng: Random) -> Invoice:
    """A random VAT invoice whose sums come out."""
    edition: Edition = rng.choices(("paper", "electronic", "digital"), weights=(3, 4, 5))[0]
    special = rng.random() < (0.5 if edition != "electronic" else 0.2)
    day = random_day(rng, *PERIODS[edition])
    region = rng.choice(regions())
    exempt = not special and rng.random() < 0.06
    goods = rng.choice(invoices().goods)
    lines = _lines(rng, goods, exempt)
    amount = sum((Decimal(line.amount) for line in lines), Decimal(0))
    tax = sum((Decimal(line.tax) for line in lines if line.tax != "***"), Decimal(0))
    total = amount + tax
    digital = edition == "digital"
    buyer = _buyer(rng, special, digital=digital)
    seller = _party(rng, digital=digital)
    people = [draw_name(rng, rng.randint(1970, 1998))[0] for _ in range(3)]
    remark = rng.choice(invoices().remarks).format(n=rng.randrange(10**7, 10**8))
    with_check = not digital and not (edition == "paper" and special)
    return Invoice(
        edition=edition,
        special=special,
        place=_short(region.province),
        code="" if digital else vat_code(rng, region.code, day.year, edition, special),
        number=_number(rng, region.code, day.year, digital=digital),
        issued=day.isoformat(),
        check=f"{rng.randrange(10**20):020d}" if with_check else "",
        machine="" if digital else f"{rng.choice(('499', '661', '539'))}{rng.randrange(10**9):09d}",
        cipher=() if digital else _cipher(rng),
        buyer=buyer,
        seller=seller,
        lines=lines,
        amount=f"{amount:.2f}",
        tax=None if exempt else f"{tax:.2f}",
        total=f"{total:.2f}",
        capitals=capital_money(total, rng.choice("圆圆元")),
        payee="" if digital else people[0],
        reviewer="" if digital else people[1],
        issuer=people[2],
        remark=remark,
    )


def _lines(rng: Random, goods: Goods, exempt: bool) -> tuple[Line, ...]:
    rate = rng.choice(goods.rates)
    count = rng.choices((1, 2, 3, 5), weights=(60, 20, 12, 8))[0]
    names = rng.sample(range(len(goods.names)), min(count, len(goods.names)))
    lines = [_line(rng, goods, n, rate, exempt) for n in names]
    if len(lines) == 1 and rng.random() < 0.08:
        lines.append(_rebate(rng, lines[0]))
    return tuple(lines)


def _line(rng: Random, goods: Goods, n: int, rate: str, exempt: bool) -> Line:
    unit = rng.choice(goods.units)
    counted = bool(unit) or rng.random() < 0.3
    quantity = Decimal(rng.choice((1, 1, 2, 3, 5, 10, 12, 50)) if goods.high < 5000 else 1)
    if unit in ("升", "千克", "吨"):
        quantity = Decimal(rng.randint(100, 9000)).scaleb(-2)
    gross = (Decimal(str(round(rng.uniform(goods.low, goods.high), 2))) * quantity).quantize(CENT)
    net = gross if exempt else (gross / (1 + Decimal(rate) / 100)).quantize(CENT, ROUND_HALF_UP)
    places = rng.choice((2, 6, 8, 10))
    price = (net / quantity).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return Line(
        name=f"*{goods.group}*{goods.names[n]}",
        spec=goods.specs[n] if n < len(goods.specs) and rng.random() < 0.8 else "",
        unit=unit,
        quantity=f"{quantity.normalize():f}" if counted else "",
        price=f"{price:f}" if counted else "",
        amount=f"{net:.2f}",
        rate="免税" if exempt else f"{rate}%",
        tax="***" if exempt else f"{gross - net:.2f}",
    )


def _rebate(rng: Random, line: Line) -> Line:
    """A line of the same goods with a discount."""
    part = Decimal(rng.choice((5, 10, 20))) / 100
    amount = (Decimal(line.amount) * part).quantize(CENT)
    free = line.tax == "***"
    tax = Decimal(0) if free else (Decimal(line.tax) * part).quantize(CENT)
    return line.model_copy(
        update={
            "spec": "",
            "unit": "",
            "quantity": "",
            "price": "",
            "amount": f"-{amount}",
            "tax": "***" if free else f"-{tax}",
        }
    )


def _party(rng: Random, *, digital: bool, full: bool = True) -> Party:
    licence = draw_licence(rng, era="modern", family="company")
    if digital or not full:
        return Party(name=licence.name, number=licence.code)
    phone = f"0{rng.choice((10, 21, 25, 571, 755, 731))}-{rng.randrange(20000000, 89999999)}"
    bank = rng.choice(invoices().banks) + licence.region.rstrip("区县") + "支行"
    account = "".join(rng.choice("0123456789") for _ in range(rng.choice((15, 17, 19))))
    return Party(
        name=licence.name,
        number=licence.code,
        address=f"{licence.address} {phone}",
        account=f"{bank} {account}",
    )


def _buyer(rng: Random, special: bool, *, digital: bool) -> Party:
    if special:
        return _party(rng, digital=digital)
    if rng.random() < 0.3:
        return Party(name=draw_name(rng, rng.randint(1965, 2000))[0])
    return _party(rng, digital=digital, full=rng.random() < 0.3)


def _number(rng: Random, region: str, year: int, *, digital: bool) -> str:
    if digital:  # year 2, province 2, a channel 1, running number 15
        return f"{year % 100:02d}{region[:2]}{rng.choice('27')}{rng.randrange(10**9):015d}"
    return f"{rng.randrange(10**6, 10**8):08d}"


def _cipher(rng: Random) -> tuple[str, ...]:
    return tuple("".join(rng.choice("0123456789+-*/<>") for _ in range(28)) for _ in range(4))


def _short(province: str) -> str:
    for long in ("维吾尔自治区", "壮族自治区", "回族自治区", "自治区", "省", "市"):
        province = province.removesuffix(long)
    return province
