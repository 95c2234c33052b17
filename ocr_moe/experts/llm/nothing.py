"""The words in which models say that a field is not there."""

from __future__ import annotations

import re

from ocr_moe.folds import fold_print
from ocr_moe.schema import Field
from ocr_moe.values.hanzi import simplified

_LONGEST = 40
"""Characters of such a phrase; longer texts are values, or something to look at."""
_WORDS = frozenset(
    (
        *("null", "none", "nil", "na", "nan", "undefined", "unknown", "absent", "missing", "empty"),
        *("illegible", "unreadable", "unavailable", "string", "str", "tbd"),
        *(
            "无",
            "未知",
            "不详",
            "空",
            "空白",
            "没有",
            "缺失",
            "缺",
            "略",
            "暂无",
            "不明",
            "待定",
            "待补充",
        ),
        *("模糊", "模糊不清", "字迹模糊", "字迹不清", "无此项", "无此字段", "空值", "占位符"),
    )
)
_PLACE = (
    r"(?:在|从)?(?:该|此|本|这|所给|给定|提供的?|原)?"
    r"(?:图片|图像|照片|图|扫描件|证书|证件|执照|文档|文件|页面|页|原文|文本|文字|材料|ocr(?:结果|文本|文字)?)"
    r"(?:中|里|上|内)?的?"
)
_THING = r"(?:该|此|本|这个?|相关|对应|任何)?(?:字段|信息|内容|数据|值|项|部分)(?:的值)?"
_NOT = r"(?:并|均|暂|尚|都|也)?(?:未能?|没有?|无法?|无从|不能?|不可|看不|难以)"
_DONE = (
    r"(?:被|直接|明确|清晰|清楚)?"
    r"(?:显示|提供|提及|提到|找到|查到|发现|出现|注明|标注|标明|写明|填写|填|给出|包含|说明|识别|辨认|辨识|辨别"
    r"|读取|读出|确定|确认|判断|看清|看到|看见|见|适用|存在|可见|可用|可读|清|明|详|知|记载|体现|涉及|印有|印刷"
    r"|列出|记录|获取|提取|有)"
)
_PHRASE = re.compile(
    rf"(?:我|{_PLACE}|{_THING}){{0,3}}{_NOT}(?:{_PLACE})?"
    rf"(?:{_DONE}(?:出来?|到|清楚|清)?(?:{_PLACE}|{_THING}){{0,2}}|{_THING})"
)
_NEGATIVE = frozenset(
    (
        "not",
        "no",
        "none",
        "cannot",
        "unable",
        "isn't",
        "doesn't",
        "can't",
        "non",
        "without",
        "missing",
    )
)
_ENGLISH = """
the this that it is are was were be been being has have had does do did could
can to in on at of from by for any such field value information info data text
image picture photo document page certificate license licence ocr visible
present found available provided mentioned stated shown given applicable listed
legible readable known determined determine read included indicated disclosed
displayed printed specified contain contained exist exists clear clearly
identified identifiable recognizable recognized extracted see i
"""
_VOCABULARY = _NEGATIVE.union(_ENGLISH.split())
_MASK = re.compile(r"[x年月日号第]*x{2}[x年月日号第]*")


def says_nothing(text: str, field: Field) -> bool:
    """Whether a text is no value but a word, a phrase or a mask for that there is none."""
    if len(text) > _LONGEST:
        return False
    folded = "".join(simplified(character) for character in fold_print(text))
    own = (word for value, forms in field.values.items() for word in (value, *forms))
    if any(fold_print(word) == folded for word in own):
        return False  # 不明 may be a blood group
    if (
        not folded
        or folded in _WORDS
        or folded == fold_print(field.name)
        or _MASK.fullmatch(folded)
    ):
        return True
    if folded.isascii():
        words = re.findall(r"[a-z']+|\d+", text.lower())
        return len(words) > 1 and not _NEGATIVE.isdisjoint(words) and _VOCABULARY.issuperset(words)
    about = folded.removesuffix(fold_print(field.name))
    return (
        _PHRASE.fullmatch(about) is not None
        or _PHRASE.fullmatch(about.removesuffix("的")) is not None
    )
