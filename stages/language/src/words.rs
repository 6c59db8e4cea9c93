//! Words and letters that give a language away in a short text, where statistics of letters have little to count.

use crate::codes::Language;

/// The words of a text that its grammar needs, for each language: articles, pronouns, prepositions, forms of "to be"; and
/// those of greetings, requests and questions, of which short messages consist.
/// Chosen by how frequent they are, not by any text.
const WORDS: [(&str, &str); 40] = [
    (
        "af",
        "die en van ek jy hy sy ons hulle nie het is was sal kan met vir op aan wat hierdie daardie baie ook maar of asseblief dankie hoeveel waar my jou weer nog hoe goeie môre u asb",
    ),
    ("az", "və bu bir mən sən biz siz onlar üçün ilə da də çox deyil var yox olan nə ki kimi ən daha"),
    (
        "ca",
        "el la els les un una i o de del dels que no és ha he han amb per al als més aquest aquesta això em et es ens seva meva jo tu ell ella què on quan molt està són va vaig encara gràcies bon dia bona nit si us plau quant costa hola tots vull perquè",
    ),
    (
        "cs",
        "a i je se na v ve do z ze s že to ten ta ty já jsem jsi jsme jste jsou není by být co jak ale nebo pro po při za od už ještě jeho její můj moje tak který která které kde když mi ti děkuji prosím dobrý dobré den ráno všem všechno kolik dnes zítra jen velmi také mám máte bude můžete tady",
    ),
    (
        "cy",
        "y yr yn mae ac a i o ar am gan wedi bod ddim nid fi ti ni chi nhw hwn hon beth ble sut diolch bore da os gwelwch",
    ),
    (
        "da",
        "og i jeg du det at en et den til er som på de med han af for ikke der var mig dig har om vi min havde ham hun nu over da fra ud hvor hvad endnu også efter eller kan skal vil blev været bliver kun meget noget nogle lidt mere tak hej god venligst igen hvornår hvordan hvorfor alle jer jeres mit mange kunne skulle ville gerne siden hjælp",
    ),
    (
        "de",
        "der die das und in den von zu mit sich des auf für ist im dem nicht ein eine einen einer als auch es an er sie ich du wir ihr hat habe haben wird werden noch wie so bei oder aus nach war aber wenn nur kann man mich mir dich dir uns mein meine dein ihre sein was wo wer um vom zum zur sind wurde keine kein bitte danke vielen guten morgen tag hallo viel wann warum heute gestern mehr hier sehr gern gerne zusammen alle ihnen können möchte muss beim schon jetzt",
    ),
    (
        "en",
        "the of and to in is that it was for on are as with his they at be this have from or had by not but what some we can out other were all there when up your how said an each she which do their if will would about many then them these so her him has been my me you i he no did please thank thanks hello good much where why today tomorrow more here very again everyone could should i'm it's don't our just now",
    ),
    (
        "eo",
        "la kaj de en estas al ne mi vi li ŝi ĝi ni ili kiu kio ke por kun sed por tiu ĉi oni estis pli tre dankon bonvolu saluton kiel bonan",
    ),
    (
        "es",
        "el la los las de que y en un una es se no por con para su lo como más pero sus le ya o este esta esto sí porque entre cuando muy sin sobre también me te nos mi tu yo él ella ha he han hay fue son está están del al qué dónde todavía nunca todo gracias buenos buenas días tardes favor hola cuánto cuándo todos hoy mañana aquí bien puede quiero tengo hace ahora",
    ),
    (
        "et",
        "ja on ei et see ta ma sa me te nad oli ka kui mis kes aga või oma kas mina sina minu sinu selle seda ning siis veel väga pole ole olen olid kuidas kus aitäh palun tere hommikust palju tänan uuesti kõik täna",
    ),
    (
        "fi",
        "ja on ei se että hän minä sinä me te he oli ovat olen olet ole en et mutta tai kun jos niin kuin myös mitä missä mikä tämä sen sitä ne joka vain vielä minun sinun kanssa ollut kiitos paljon hyvää huomenta päivää hei paljonko milloin kaikille tänään nyt olemme voitte teille meille voisitteko haluan uudelleen avusta",
    ),
    (
        "fr",
        "le la les de des du un une et est en que qui dans pour pas ne au aux sur se ce cette il elle je tu nous vous ils avec son sa ses par plus ou mais comme mon ma mes ton votre notre être avoir ai as a été sont j'ai n'est c'est où même très peut merci bonjour bonsoir combien quand pourquoi tous toutes aujourd'hui ici beaucoup veuillez s'il plaît d'un d'une qu'il c'était fait peut-on bien",
    ),
    (
        "hr",
        "i je u se na da su za od s sa ne to što koji koja koje kao a ali ili iz po bi sam si smo ste nije kako gdje kad već još te me mi ti mu ga ću će bio bila bilo njegov moj moja li samo hvala molim dobar dan koliko danas lijepa puno sve ovo treba mogu možete",
    ),
    (
        "hu",
        "a az és hogy nem is egy van ez azt meg csak de már még ha volt lesz mint ki mi te ő én vagy aki ami nagyon itt ott nincs kell ezt minden után el fel be köszönöm kérem jó napot reggelt mennyi hol mikor miért ma holnap kerül önök szeretném",
    ),
    (
        "id",
        "yang dan di itu dengan untuk tidak ini dari dalam akan pada juga saya ke karena tersebut bisa ada mereka kita kamu anda dia adalah atau sudah belum bukan kami apa oleh seperti lebih telah terima kasih tolong selamat pagi berapa mana hari banyak sekali mohon silakan harga nya",
    ),
    (
        "it",
        "il lo la i gli le di e che un una è non per in con si da del della dei delle al alla sono ho ha hai come più ma anche mi ti ci vi suo sua mio mia questo questa quello nel nella se o dove cosa io tu lui lei noi stato ancora molto grazie buongiorno ciao quanto quando perché tutti oggi qui favore prego vorrei posso abbiamo dov'è nostra nostro",
    ),
    ("la", "et in est non ad cum qui quae quod ut sed ex ab si aut nec enim esse sunt erat hoc haec ille"),
    (
        "lt",
        "ir yra tai kad į iš su aš tu jis ji mes jūs jie ne nėra bet ar kaip kas ką mano tavo jo jos per už apie buvo dar jau tik labai po prie nuo ačiū prašau labas kiek kur kada šiandien kartą laba diena",
    ),
    (
        "lv",
        "un ir es tu viņš viņa mēs jūs ka ar no uz par nav kas ko bet vai šis tas tā tev man mans tavs kā kur vēl jau ļoti bija tikai pie pēc paldies lūdzu labdien cik kad šodien kāpēc daudz sveiki",
    ),
    (
        "nb",
        "og i jeg det at en et den til er som på de med han av for ikke der var meg deg har om vi min hadde ham hun nå over da fra ut hvor hva ennå også etter eller kan skal vil ble vært blir bare mye noe noen litt mer ved seg dette oss takk hei god vennligst igjen når hvordan hvorfor alle dere deres mitt mange kunne skulle ville gjerne siden hjelp tusen nytt",
    ),
    (
        "nl",
        "de het een en van in is dat op te zijn met voor niet die aan er om ook als dan maar bij of uit nog naar heeft hebben ik je jij u hij zij ze wij we jullie mijn jouw wat waar wie deze dit door over al kan kunnen zal worden wordt was geen hebt heb hoe dank bedankt alstublieft goedemorgen goed hallo hoeveel wanneer waarom vandaag morgen iedereen allemaal hier graag kunt uw opnieuw onze ben bent geweest kost",
    ),
    (
        "pl",
        "i w z na się nie do to że jest o jak a po co tak za od ale czy już dla ja ty on ona my są był była było być przez przy tylko jego jej mnie ci go mi ten ta te który która które jeszcze bardzo może gdzie dziękuję proszę dzień dobry cześć ile kiedy dlaczego dzisiaj jutro wszystkim tu mam mamy państwo możemy wszystko pan pani",
    ),
    (
        "pt",
        "o a os as de do da dos das e que em um uma é não para com por no na nos nas se mais como mas foi ao ele ela eu você tu nós seu sua meu minha isso isto este esta ou já está são ser ter tem há muito também ainda onde quando lhe me à às pelo pela obrigado obrigada bom boa dia tarde noite favor olá quanto todos todas hoje amanhã aqui bem pode quero tenho agora muita",
    ),
    (
        "ro",
        "și de la în a cu nu este că un o pe să din care mai ce sunt pentru se au ai am fi dar ca sau lui ei eu tu el ea noi voi lor mea meu unde când foarte acest această fost ale cel mulțumesc bună ziua vă rog cât cum astăzi toți aici mult",
    ),
    (
        "sk",
        "a je sa na v vo do z zo s že to ten tá tie ja som si sme ste sú nie by byť čo ako ale alebo pre po pri za od už ešte jeho jej môj moja tak ktorý ktorá ktoré kde keď mi ti toto ďakujem prosím dobrý deň koľko dnes všetkým veľmi tiež máte máme pošlite",
    ),
    (
        "sl",
        "in je v se na da so za od s z ne to ki kot ali pa iz po bi sem si smo ste ni kako kje ko že še te me mi ti mu ga bom bo bil bila bilo njegov moj moja lahko kar zelo ampak tudi hvala prosim dober dan koliko danes najlepša vsem imamo želim",
    ),
    (
        "sv",
        "och i jag det att en ett den till är som på de med han av för inte var mig dig har om vi min hade honom hon nu över då från ut här där vad än också efter eller kan ska skall vill blev varit blir bara mycket något några lite mer så man oss sig detta tack hej god vänligen igen när hur varför alla er era mitt många kunde skulle ville gärna sedan hjälp hjälpen allihop morgon snälla",
    ),
    (
        "tl",
        "ang ng sa na mga at ay si ko mo niya ka ako siya kami tayo sila hindi ito iyon para kung may po naman lang salamat magandang magkano paki muli saan",
    ),
    (
        "tr",
        "ve bir bu da de için ile ne o ben sen biz siz onlar çok daha var yok değil mi mı mu gibi ama en kadar olan olarak her şey hiç bana sana benim senin teşekkürler lütfen merhaba günaydın nerede bugün yarın herkese ederim tekrar",
    ),
    (
        "vi",
        "là của và có không được cho trong tôi bạn anh em những các một này với người đã sẽ để ở thì khi về đi cảm ơn vui lòng xin chào bao nhiêu hôm nay rất nhiều gửi",
    ),
    (
        "be",
        "і ў не на што я ты ён яна мы вы яны гэта з да як але ці па за для ад быў была ёсць мне мой дзякуй калі ласка добры дзень",
    ),
    (
        "bg",
        "и в на не се да е от за по с той тя аз ти ние вие те това този тази че ще са съм си как къде кога още много ми го ли като или до със беше благодаря моля добър ден колко днес всички отново струва ви",
    ),
    (
        "mk",
        "и во на не се да е од за по со тој таа јас ти ние вие тие ова овој оваа дека ќе се сум си како каде кога уште многу ми го ли или до беше благодарам ве молам добар ден колку денес",
    ),
    (
        "ru",
        "и в на не что я ты он она мы вы они это с со к как но а по за для от до же бы был была было быть есть мне меня тебе его её мой или ещё уже где когда очень нет так из у о если то спасибо пожалуйста здравствуйте добрый день сколько сегодня завтра всем большое здесь вам вас нас можете",
    ),
    (
        "uk",
        "і в у на не що я ти він вона ми ви вони це з із до як але чи та й за для від був була було є мені мене тобі його її мій або ще вже де коли дуже немає так якщо те дякую будь ласка добрий день скільки сьогодні завтра всім тут вам вас нас можете",
    ),
    (
        "sr",
        "и у је да се на не за од са су то што који која као или али како где колико молим хвала вас вам сам си смо ово није",
    ),
    ("hi", "है हैं में का की के को और यह नहीं से पर कि मैं आप था भी फिर कहाँ कब"),
    ("mr", "आहे आणि मी नाही हे तो ते होते आहेत मला कुठे पुन"),
    ("ne", "छ छैन हो मा र लाई यो म हामी पनि भयो फेरि कहाँ मलाई"),
];

/// Letters that only few languages have.
const LETTERS: [(&str, &str); 26] = [
    ("az", "ə"),
    ("ca", "ŀ"),
    ("cs", "řěů"),
    ("da", "øæ"),
    ("de", "ß"),
    ("eo", "ĉĝĥĵŝŭ"),
    ("es", "ñ¿¡"),
    ("et", "õ"),
    ("fr", "œ"),
    ("hr", "đć"),
    ("hu", "őű"),
    ("lt", "ėįų"),
    ("lv", "āģīķļņ"),
    ("nb", "øæ"),
    ("pl", "łżźśćńęą"),
    ("pt", "ãõ"),
    ("ro", "țșăţ"),
    ("sk", "ľĺŕôť"),
    ("sv", "åäö"),
    ("tr", "ğış"),
    ("be", "ў"),
    ("bg", "ъ"),
    ("mk", "ѓќѕ"),
    ("ru", "ыэё"),
    ("sr", "ђћ"),
    ("uk", "їєґ"),
];

/// The table by which words are looked up. It is made once, when the stage is set up.
#[derive(Debug)]
pub(crate) struct Words {
    /// Sorted by word. The bits are languages, by their position in [`WORDS`] or [`LETTERS`].
    words: Vec<(&'static str, u64)>,
    letters: Vec<(char, u64)>,
}

/// How much speaks for each language, in no order; those of which nothing does are left out.
pub(crate) type Scores = Vec<(&'static Language, f64)>;

impl Words {
    pub(crate) fn new() -> Self {
        let words =
            WORDS.iter().enumerate().flat_map(|(at, (_, words))| words.split(' ').map(move |word| (word, 1 << at)));
        let letters =
            LETTERS.iter().enumerate().flat_map(|(at, (_, all))| all.chars().map(move |letter| (letter, 1 << at)));
        Self { words: merged(words.collect()), letters: merged(letters.collect()) }
    }

    /// What the words and letters of a text say. A word counts once for each time, shared among the languages that have it.
    pub(crate) fn scores(&self, text: &str) -> Scores {
        let lower = text.to_lowercase();
        let mut scores: Scores = Vec::new();
        let is_inside = |c: char| c.is_alphanumeric() || c == '\'' || c == '’';
        for word in lower.split(|c: char| !is_inside(c)) {
            if let Some(languages) = found(&self.words, word) {
                add(&mut scores, WORDS.iter().map(|(code, _)| *code), languages);
            }
        }
        let mut seen: Vec<char> = Vec::new();
        for letter in lower.chars().filter(|letter| !letter.is_ascii()) {
            if !seen.contains(&letter)
                && let Some(languages) = found(&self.letters, letter)
            {
                seen.push(letter);
                add(&mut scores, LETTERS.iter().map(|(code, _)| *code), languages);
            }
        }
        scores
    }
}

fn merged<T: Ord + Copy>(mut all: Vec<(T, u64)>) -> Vec<(T, u64)> {
    all.sort_unstable();
    all.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 |= next.1;
        }
        same
    });
    all
}

fn found<T: Ord + Copy>(all: &[(T, u64)], wanted: T) -> Option<u64> {
    all.binary_search_by_key(&wanted, |(known, _)| *known).ok().map(|at| all[at].1)
}

fn add(scores: &mut Scores, codes: impl Iterator<Item = &'static str>, languages: u64) {
    let weight = 1.0 / f64::from(languages.count_ones().max(1));
    for (at, code) in codes.enumerate() {
        if languages & (1 << at) == 0 {
            continue;
        }
        match scores.iter_mut().find(|(language, _)| language.code == code) {
            Some((_, score)) => *score += weight,
            None => scores.extend(Language::named(code).map(|language| (language, weight))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_of_the_lists_is_one_of_the_detector() {
        for (code, _) in WORDS.iter().chain(&LETTERS) {
            assert!(Language::named(code).is_some(), "{code}");
        }
    }

    #[test]
    fn a_word_of_several_languages_is_shared_among_them() {
        let scores = Words::new().scores("Ikke");
        assert_eq!(
            scores.iter().map(|(language, score)| (language.code, *score)).collect::<Vec<_>>(),
            [("da", 0.5), ("nb", 0.5)]
        );
    }
}
