"""Names of people and of organisations.

The beliefs are judgements, on a scale from 0 (cannot be) to 1 (just what one expects). For the figures
in brackets see `ocr_moe.reading.candidates`.
"""

from __future__ import annotations

import re

from ocr_moe.folds import DOTS, HAN
from ocr_moe.values.printed import EDGES, Part

_SURNAMES = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许邓韩冯曹彭曾肖萧田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟"
    "姜崔谭陆范汪廖石金韦贾夏付傅方邹熊白孟秦邱侯江尹薛闫阎段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向汤温康施文牛"
    "樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟申殷詹欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍涂成苗谷曲盛冉翁"
    "蓝路游辛靳管柴蒙鲍华喻祁房滕屈饶解牟艾尤时阳阚卜古司屠植连农蒲卓桂简佟国栾车项宫胥应米仇娄巩卞全边卫景党沙储"
    "甄上官欧阳司马诸葛皇甫东方尉迟令狐慕容宇文长孙夏侯轩辕税费寇仲隋宗木揭麻麦楚丛晏郎苟但昌桑冷晋库刁明邬苑靖漆"
    "粟原占郁商邸隆修冼来娜阿买艾古热玛依巴吐努才扎次索洛旦格达伊谌禹练戚相覃池展惠郦么银代云宾闵伏师巫束满由敬信"
    "叢丛荆褚奚匡干耀虞干迟鹿鞠郗祖栗瞿逄缪居厉谯和籍窦蔺都沃卲"
)
_PERSON = re.compile(r"^[\u3400-\u9fff]{2,4}$")
_MINORITY = re.compile(r"^[\u3400-\u9fff]{1,8}(?:·[\u3400-\u9fff]{1,8})+$")
_LETTER = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff"
"""Inside a character class: Latin letters, with their accents."""
_LATIN_PERSON = re.compile(
    rf"^[{_LETTER}][{_LETTER}'’.-]*(?:[ ,]+[{_LETTER}][{_LETTER}'’.-]*){{0,6}}$"
)
_NOT_A_PERSON = re.compile(
    r"学生|学员|性别|专业|大学|学院|学校|毕业|证书|日期|公司|姓名|年制|本科|专科|校长|院长|主席|登记|机关|编号|"
    r"长期|永久|[年月日]$|www|\.com|\.cn|http",
    re.IGNORECASE,
)
_ORGANISATION = re.compile(
    r"(?:大学|学院|学校|党校|分校|校区|中学|小学|研究院|研究所|研究生院|科学院|公司|集团|厂|店|行|部|所|社|院|局|处|站|场|馆|"
    r"坊|园|城|屋|吧|室|户|庄|铺|苑|阁|轩|居|摊|中心|商场|超市|农场|委员会|办公室|协会|学会|基金会|事务所|门市)"
    r"(?:\([^()]*\))?$"
)
_LATIN_ORGANISATION = re.compile(
    r"\b(?:ltd|limited|inc|llc|llp|plc|gmbh|ag|sa|corp|corporation|company|co|bhd|s/b|pte|sdn|"
    r"enterprise|enterprises|trading|restaurant|restoran|store|stores|shop|mart|market|supermarket|"
    r"hypermarket|university|college|school|institute|academy|hotel|bank|hospital|clinic|pharmacy|"
    r"cafe|bakery|bakeries|house|group|services|industries|hardware|syarikat|perniagaan|kedai)\b",
    re.IGNORECASE,
)
_PERSON_HEAD = re.compile(
    r"[\u3400-\u9fff]{1,8}(?:[·•・.][\u3400-\u9fff]{1,8})*"
    rf"|[{_LETTER}][{_LETTER}'’. ,-]*[{_LETTER}.]"
)


def parse_person(text: str) -> str | None:
    """Dots as one kind of dot, and one space after the comma of a Latin name."""
    text = re.sub(rf"(?<=[{_LETTER}]) *, *(?=[{_LETTER}])", ", ", text)
    return DOTS.sub("·", text).strip(EDGES + "·-") or None


_REGISTERED = re.compile(
    r"(?<=[A-Za-z.)])\s*\((?:(?:co|company|reg|business)[^()]{0,12}?)?[A-Z]{0,3}\s?\d{5,}(?:\s?-?\s?[A-Z]{1,2})?\)?$",
    re.IGNORECASE,
)
"""The number under which a firm is registered, in brackets behind its Latin name: no part of it."""


def parse_organisation(text: str) -> str | None:
    return _REGISTERED.sub("", text.strip(EDGES)).strip(EDGES) or None


def find_person(text: str) -> Part | None:
    """The first run of characters that a name may have."""
    match = _PERSON_HEAD.search(text)
    return None if match is None else Part(match.start(), match.end(), match.group())


def is_organisation(text: str) -> bool:
    """Whether the text ends, or in Latin script speaks, like the name of an organisation."""
    return bool(_ORGANISATION.search(text) or _LATIN_ORGANISATION.search(text))


# Belief that a text is a person's name; 1 for two to four characters that begin with a surname.
_OTHER_SURNAME = 0.75
"""Two to four characters that do not: the list of surnames is not complete."""
_MINORITY_NAME = 0.95
"""Parts with a dot between them. [half −1]"""
_LATIN_NAME = 0.8
_RUN_TOGETHER = 0.6
"""A Latin name that has lost its spaces: capitals within a word, or a word longer than …"""
_LONGEST_WORD = 13
"""… the longest family names of everyday."""
_LATIN_PAIR = 0.3
"""Two Latin letters."""
_FIRM = 0.7
"""An organisation, which may stand for a person: as an investor, as a managing partner …"""
_FIRM_LENGTH = 6
"""… if it has so many characters …"""
_FIRM_OF_WORDS = 0.6
"""… and less if it holds words that are of no person."""
_WITH_DIGITS = 0.2
_OTHER_WORDS = 0.1
"""Words that are of no person, and no organisation."""
_UNLIKE_A_NAME = 0.4
"""Anything else … [twice ±0]"""
_ONE_CHARACTER = 0.2
"""… and of a single character. [half ±0]"""


def person_belief(value: str) -> float:
    if _NOT_A_PERSON.search(value):
        return _FIRM_OF_WORDS if is_organisation(value) else _OTHER_WORDS
    if _PERSON.match(value):
        return 1.0 if value[0] in _SURNAMES else _OTHER_SURNAME
    if _MINORITY.match(value):
        return _MINORITY_NAME
    if _LATIN_PERSON.match(value):
        if len(value) <= 2:
            return _LATIN_PAIR
        return _RUN_TOGETHER if _run_together(value) else _LATIN_NAME
    if re.search(r"\d", value):
        return _WITH_DIGITS
    if is_organisation(value) and len(value) >= _FIRM_LENGTH:
        return _FIRM
    return _UNLIKE_A_NAME if len(value) > 1 else _ONE_CHARACTER


def _run_together(name: str) -> bool:
    """Whether words of a Latin name stand without spaces; not Mc and Mac, nor O' and hyphens."""
    words = re.split(r"[ ,.'’-]+", name)
    return any(
        len(word) > _LONGEST_WORD or re.search(r"(?<!^Mc)(?<!^Mac)(?<=[^\W\d_A-Z])[A-Z]", word)
        for word in words
    )


# Belief that a text is the name of an organisation; 1 where it ends like one.
_OTHER_ENDING = 0.6
"""Where it does not. [half and 0.8 ±0, 1.25 and twice −1]"""
_SENTENCE = 0.15
"""Chinese with the marks of a sentence."""
_FEW_LETTERS = 0.1
_LEAST_LETTERS, _LEAST_SHARE = 3, 0.5
"""Letters and characters below which there are few, and their share of the text. [half of the first
±0, twice −7; twice the second −2]"""


def organisation_belief(value: str) -> float:
    if HAN.search(value) and re.search(r"[,;:。]", value):
        return _SENTENCE
    letters = sum(char.isalpha() for char in value)
    if letters < _LEAST_LETTERS or letters < _LEAST_SHARE * len(value):
        return _FEW_LETTERS
    return 1.0 if is_organisation(value) else _OTHER_ENDING
