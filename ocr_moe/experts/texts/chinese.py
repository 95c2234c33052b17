"""Chinese words that speak well or ill of something, as news and reviews use them.

Written for this package; no list of others went into it, for those that are known are for research only.
"""

from __future__ import annotations

POSITIVE = frozenset(
    """
    上涨 大涨 增长 高增长 回升 回暖 提升 提高 改善 好转 优化 突破 创新高 新高 领先 第一 冠军 夺冠 金牌 获奖
    荣获 表彰 赞扬 赞誉 称赞 好评 肯定 欢迎 支持 看好 乐观 利好 盈利 扭亏 增收 丰收 喜获 成功 顺利 圆满
    达成 签约 合作共赢 双赢 共赢 受益 惠及 便利 便民 高效 快捷 安全 稳定 平稳 健康 繁荣 活跃 兴旺 红火 热烈
    喜悦 高兴 开心 快乐 幸福 满意 放心 舒适 温暖 感动 感谢 感激 祝贺 庆祝 喜爱 喜欢 热爱 推荐 值得 优秀 优质
    优异 优良 卓越 出色 杰出 精彩 精美 精湛 完美 完善 丰富 强劲 强大 有力 先进 创新 领军 权威 可靠 诚信 公平
    公正 美丽 美好 美味 好吃 漂亮 舒服 便宜 实惠 划算 周到 热情 耐心 专业 细心 贴心 惊喜 惊艳 壮观 治愈 康复
    获救 脱险 脱贫 振兴 复苏 恢复 加快 扩大 增强 超额 超预期 供不应求 畅销 走红 点赞 希望 机遇 进步 成就 成果
    贡献 典范 榜样 英雄 勇敢 善良 无私 环保 绿色 清洁 节能 减排 免费 减免 补贴 奖励 升级 通车 投产 竣工 落成
    """.split()
)
NEGATIVE = frozenset(
    """
    下跌 大跌 暴跌 下降 下滑 减少 萎缩 衰退 亏损 巨亏 负债 破产 倒闭 裁员 失业 停产 停工 停业 关闭 欠薪 拖欠
    违约 违规 违法 违纪 犯罪 诈骗 欺诈 造假 虚假 假冒 伪劣 侵权 抄袭 泄露 泄漏 污染 超标 召回 投诉 举报 处罚
    罚款 起诉 诉讼 判刑 逮捕 被捕 拘留 调查 腐败 受贿 贪污 丑闻 争议 质疑 批评 谴责 抗议 反对 抵制 冲突 战争
    袭击 爆炸 火灾 起火 坍塌 倒塌 地震 洪水 洪涝 台风 暴雨 干旱 灾害 灾难 事故 车祸 坠毁 遇难 死亡 身亡 丧生
    伤亡 受伤 重伤 失踪 被困 失联 疫情 感染 患病 病亡 恶化 危机 风险 隐患 威胁 危险 紧张 恐慌 担忧 忧虑 担心
    悲观 利空 失望 不满 愤怒 悲伤 痛苦 难过 遗憾 可惜 糟糕 恶劣 严重 严峻 困难 困境 低迷 疲软 缓慢 拥堵 堵塞
    延误 取消 推迟 中断 瘫痪 故障 失灵 失败 失利 落后 淘汰 垫底 短缺 紧缺 涨价 高价 昂贵 太贵 缺陷 漏洞 缺乏
    不足 差评 难吃 难看 难用 卡顿 破损 损坏 损失 浪费 粗糙 敷衍 冷漠 傲慢 欺骗 欺负 歧视 虐待 暴力 崩溃 崩盘
    跳水 滞销 流失 退货 退市 停牌 警告 预警 禁止 封禁 下架 谣言 误导 混乱 脏乱 噪音 异味 过期 变质 中毒 后悔
    """.split()
)
NEGATIONS = frozenset("不 没 没有 未 未能 并未 并非 非 无 毫无 难以 无法 尚未 从未 避免 防止 免于 杜绝 禁止".split())
"""Words that turn the meaning of the one that follows within a few characters."""
REACH = 3
"""Characters between a negation and the word that it turns."""
