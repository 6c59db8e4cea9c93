//! The ideographs that the characters of the block "CJK Radicals Supplement" look like.
//!
//! Normalization knows them for the Kangxi radicals and for two of these only. Where a glyph serves both, the character map
//! of a font names the radical first, and a search for the ideograph would not find it.

/// One ideograph for each character from U+2E80; those without one stand for themselves.
const IDEOGRAPHS: &str = "\
    ⺀厂乛乚乙亻冂几刀刂卜㔾小小兀尣尢⺑巳幺彑彐忄心扌攵⺚旡日月歺母民氵氺灬爫爫丬牛\
    犭王⺪目示礻竹糹纟罓罒网⺴⺵羊羊羊老⺺聿肉臼艹艹艹虎衤覀西见角角讠贝足车辶辶辶邑\
    钅長镸长门⻕阝雨青韦页风飞食食飠饣首马骨鬼鱼鸟卤麦黄黾斉齐歯齿竜龙龜亀龟";

/// The ideograph of a radical.
pub(super) fn ideograph(radical: char) -> Option<char> {
    let index = u32::from(radical).checked_sub(0x2E80)?;
    IDEOGRAPHS.chars().nth(index as usize)
}

#[cfg(test)]
mod tests {
    use super::ideograph;

    #[test]
    fn radicals_have_the_ideographs_they_look_like() {
        assert_eq!(ideograph('\u{2EA0}'), Some('民'));
        assert_eq!(ideograph('\u{2EF3}'), Some('龟'));
        assert_eq!(ideograph('\u{2E80}'), Some('\u{2E80}'));
        assert_eq!(ideograph('一'), None);
    }
}
