//! The lists of words.

use super::Label;

const PHONE: &str = "tel telephone telefon telefono telefone telf tlf phone phones telno telnr mobile mobil mobiles movil \
    movel celular cellulare cellular cell cel cellphone mobilephone homephone workphone handy fax telefax faks whatsapp viber \
    rufnummer telefonnummer telefonnr handynummer handynr mobilnummer mobilnr mobilfunk mobilfunknummer festnetz faxnummer \
    diensttelefon phonenumber phoneno mobilenumber mobileno msisdn hotline mob ph phn tlph gsm natel portable portatile fijo \
    telemovel telemovil telefoon telefoonnummer mobiel puhelin puhelinnumero puh matkapuhelin mobiltelefon mobilnummer \
    telefonnummer telefonszam komorka komorkowy cep ceptel dial call callback landline sms smsto callto \
    τηλ τηλεφωνο κιν κινητο тел телефон телефона моб мобильный мобильныи мобилен мобильний факс телефони \
    טלפון נייד טל הטלפון هاتف الهاتف جوال الجوال موبايل تلفن فون फोन मोबाइल टेलीफोन ফোন মোবাইল தொலைபேசி โทร โทรศัพท์ เบอร์โทร \
    sdt đt sđt dt thoai 전화 전화번호 휴대폰 휴대전화 연락처 핸드폰 hp nohp telp telepon whatsappnumber \
    telefonu telefonni telefonniho telefony telefonnummeret telefonszama mobilszam telefonos telefonica телефону wa pager contactno contactnumber reachable";

const PHONE_PHRASES: [(&str, &str); 31] = [
    ("phone", "type"),
    ("telephone", "type"),
    ("tel", "type"),
    ("caller", "id"),
    ("from", "number"),
    ("to", "number"),
    ("caller", "number"),
    ("contact", "number"),
    ("contact", "no"),
    ("wa", "me"),
    ("reach", "me"),
    ("reach", "us"),
    ("call", "me"),
    ("call", "us"),
    ("text", "me"),
    ("ring", "me"),
    ("tel", "kom"),
    ("dien", "thoai"),
    ("no", "hp"),
    ("no", "telp"),
    ("cep", "tel"),
    ("contact", "phone"),
    ("telefon", "kom"),
    ("nr", "kom"),
    ("numer", "kom"),
    ("kontakt", "nr"),
    ("numero", "portable"),
    ("đien", "thoai"),
    ("so", "đt"),
    ("contact", "nr"),
    ("contact", "num"),
];

/// Scripts without spaces: a label may end a longer run.
const PHONE_ENDINGS: [&str; 13] =
    ["手机", "手機", "电话", "電話", "携帯", "联系方式", "联络", "連絡先", "致电", "โทร", "โทรศัพท์", "传真", "傳真"];

const SSN_PHRASES: [(&str, &str); 2] = [("social", "security"), ("soc", "sec")];
const SSN: &str = "ssn ssns ss socialsecurity";

const NATIONAL: &str = "dni nif cpf curp aadhaar aadhar adhaar nino bsn pesel personalausweis personalausweisnummer ausweisnummer \
    passport passports reisepass reisepassnummer passnummer pasaporte passeport passaporto passaporte paspoort passnr passportno \
    passportnumber codicefiscale nir insee sozialversicherungsnummer rentenversicherungsnummer svnr svnummer ahv avs personnummer \
    fodselsnummer cpr hetu henkilotunnus kennitala rodnecislo cnp egn oib emso jmbg amka αμκα isikukood ppsn rrn nric mykad nik ktp \
    cccd cmnd tckn снилс паспорт паспорта инн рнокпп cuil cedula ausweis idcard nationalid nationalidnumber identitycard \
    personalid personnr burgerservicenummer rijksregisternummer идентификационный kimlik niss nuss driverslicense driverlicense \
    dlnumber licencenumber fuhrerschein fuhrerscheinnummer permis licencia identitynumber idnumber healthcard nhs medicare \
    jmbag taj tajszam hkid cnic иин contribuinte idnr identnummer identifikationsnummer fødselsnummer ид egn егн умкн curpnumber nationalinsurance citizenid idno pps";

const NATIONAL_PHRASES: [(&str, &str); 48] = [
    ("dl", "number"),
    ("dl", "no"),
    ("s", "license"),
    ("s", "licence"),
    ("license", "number"),
    ("licence", "number"),
    ("ת", "ז"),
    ("r", "c"),
    ("c", "i"),
    ("t", "c"),
    ("national", "id"),
    ("national", "insurance"),
    ("national", "identity"),
    ("national", "identification"),
    ("identity", "number"),
    ("identity", "card"),
    ("identity", "document"),
    ("identification", "number"),
    ("id", "card"),
    ("id", "number"),
    ("personal", "id"),
    ("personal", "number"),
    ("personal", "identity"),
    ("citizen", "id"),
    ("codice", "fiscale"),
    ("securite", "sociale"),
    ("seguridad", "social"),
    ("rodne", "cislo"),
    ("asmens", "kodas"),
    ("personas", "kods"),
    ("insurance", "number"),
    ("ni", "number"),
    ("ni", "no"),
    ("nhs", "number"),
    ("driver", "license"),
    ("driving", "licence"),
    ("drivers", "license"),
    ("driver", "licence"),
    ("driver's", "license"),
    ("voter", "id"),
    ("registre", "national"),
    ("registro", "geral"),
    ("tc", "kimlik"),
    ("kimlik", "no"),
    ("teudat", "zehut"),
    ("social", "insurance"),
    ("numar", "personal"),
    ("carte", "identite"),
];

const NATIONAL_ENDINGS: [&str; 17] = [
    "身份证",
    "身分證字號",
    "身份證字號",
    "身份證",
    "身分證",
    "护照",
    "護照",
    "マイナンバー",
    "個人番号",
    "パスポート",
    "旅券",
    "주민등록번호",
    "여권",
    "บัตรประชาชน",
    "תעודת",
    "זהות",
    "आधार",
];

const MAY_BE_ID: &str = "sin nie nip fin run rut cf tin tcno tc";

const TAX: &str = "itin ein cnpj cuit steuernummer steuerid steueridnr steueridentifikationsnummer steuernr taxid taxnumber taxno \
    taxpayer tfn ird afm αφμ rfc partitaiva piva ruc nit taxidentification utr gstin npwp adoazonosito adoszam nipc siren dic ico \
    adoazonosito jel vergi vergino vkn іпн єдрпоу рнокпп taxpayerid foretaxid steueridentnummer fiscalcode";

const TAX_PHRASES: [(&str, &str); 17] = [
    ("vergi", "no"),
    ("vergi", "kimlik"),
    ("adoazonosito", "jel"),
    ("tax", "id"),
    ("tax", "number"),
    ("tax", "no"),
    ("tax", "file"),
    ("tax", "reference"),
    ("taxpayer", "id"),
    ("tax", "identification"),
    ("steuer", "id"),
    ("steuer", "nr"),
    ("steuer", "nummer"),
    ("employer", "identification"),
    ("numero", "fiscal"),
    ("numero", "fiscale"),
    ("partita", "iva"),
];

const IBAN: &str = "iban kontonummer konto ibannumber";
const CARD: &str = "card cards creditcard cardnumber cardno ccnumber cc ccnum kreditkarte kartennummer kreditkartennummer karte \
    pan visa mastercard amex tarjeta carte carta cartao карта карты kort kortnummer maestro debitcard cartaodecredito";
const CARD_ENDINGS: [&str; 4] = ["卡号", "卡號", "银行卡", "カード番号"];
const MAC: &str = "mac macaddress macaddr hwaddr ether bssid hardware wlanmac ethernet lladdr chaddr hwaddress";

const VERSION: &str = "version versions ver v release releases build builds firmware fw assemblyversion fileversion productversion \
    informationalversion rev revision patch hotfix versao versione версия версии versie wersja verze surum";

/// Software, whose versions have four parts too.
const PRODUCT: &str = "android ios ipados macos windows win linux ubuntu debian fedora centos chrome chromium firefox safari edge opera \
    edg opr mozilla applewebkit gecko webkit electron nginx openssl openssh apache httpd python java node nodejs npm php ruby perl \
    golang rust dotnet mysql mariadb postgres postgresql redis oracle mongodb elasticsearch kafka spark hadoop tomcat jboss wildfly \
    iis sqlserver kubernetes docker containerd curl wget okhttp gcc clang cmake gradle maven git svn vscode intellij unity matlab \
    office word excel outlook acrobat reader flash player photoshop teams zoom skype slack wordpress drupal joomla magento typo3 \
    sap chart helm package pkg lib library libc glibc zlib libssl dll app module pandas numpy tensorflow django flask spring log4j \
    jackson netty grafana prometheus jenkins gitlab nextcloud fortios junos routeros openwrt esxi vmware virtualbox vsphere exchange \
    solr lucene rails angular react vue webpack typescript kotlin scala swift cuda nvidia mesa qt gtk gnome kde update updated \
    upgrade upgraded tag driver bios uefi kernel sdk jdk jre runtime plugin";

const SECTION: &str = "abschnitte abschnitten kapiteln chapitres capitulos secciones apartados articulos clausula clausulas \
    clausola статья статьи ст разделы разделе разделов пункты пункта пункте пунктов odstavec oddil rozdzialu ustep sekce bolum madde section sections sec sect clause clauses chapter chapters figure figures fig kapitel kap abschnitt abschn \
    absatz ziffer ziff punkt abb abbildung anhang annex appendix appendices schritt paragraph para artikel article oid oids seccion sezione \
    chapitre capitulo capitolo etape paso раздел глава рис рисунок пункт hoofdstuk paragraaf rozdzial kapitola requirement req \
    subsection subclause subsec bijlage bilaga avsnitt kohta bod afsnit heading toc lid numeral apartado";
const SECTION_ENDINGS: [&str; 5] = ["章", "节", "節", "第", "图"];
const MAY_BE_SECTION: &str = "table tables tab tabelle tabla tableau item items step steps task tasks point points rule rules part \
    teil bild exercise example beispiel ex question aufgabe note level таблица п art objective milestone wbs goal control topic usb port bus slot line row lesson unit test case story phase";

const ORDER: &str = "bestell auftrags kunden rechnungs vertrags serien vorgangs liefer mitglieds mitgliedsnummer matrikelnummer \
    score room suite raum zimmer modell modele modelo modello page pages seite drawing zeichnung pn nsn grant patent amount total betrag summe \
    price preis quantity qty menge balance saldo montant importe rating grade id ids order orders orderno ordernumber orderid bestellung bestellnummer bestellnr auftrag auftragsnummer auftragsnr lot \
    charge charges chargennummer batch art artnr article artikel artikelnummer artikelnr sku ean ean13 upc gtin isbn issn imei serial \
    sn seriennummer seriennr invoice invoices rechnung rechnungsnummer rechnungsnr ref reference referenz refnr ticket tickets case \
    tracking trackingnumber sendung sendungsnummer parcel paket paketnummer po rma model part partno partnumber item itemno vorgang \
    vorgangsnummer aktenzeichen az kundennummer kundennr kdnr policy police contract vertrag vertragsnummer commande facture pedido \
    factura ordine fattura zamowienie bestelling ordre faktura fakturanummer transaction txn transactionid booking buchung \
    buchungsnummer reservation flight zip plz postleitzahl postcode lieferschein lieferscheinnummer shipment consignment awb waybill \
    mrn job jobid build inventory materialnummer matnr material product productid prodnr produktnummer customerno customernumber \
    account accountno confirmation confirmationnumber заказ заказа артикул счет накладная номенклатура claim docket asset assettag vin \
    cas cve doi pmid orcid bestelnummer ordernr ordrenummer objednavka protocol protokoll session sessionid request requestid \
    trace traceid span uuid guid offset partition sequence seq checksum crc timestamp epoch";
const ORDER_PHRASES: [(&str, &str); 3] = [("p", "n"), ("s", "n"), ("m", "n")];
const VERSION_PHRASES: [(&str, &str); 12] = [
    ("fixed", "in"),
    ("introduced", "in"),
    ("patched", "in"),
    ("resolved", "in"),
    ("upgrade", "to"),
    ("upgrade", "from"),
    ("upgraded", "to"),
    ("upgraded", "from"),
    ("update", "to"),
    ("updated", "to"),
    ("downgrade", "to"),
    ("downgraded", "to"),
];
const ORDER_ENDINGS: [&str; 6] = ["订单", "訂單", "订单号", "注文", "单号", "品番"];

const SECRET: &str = "password passwords passwd pwd passphrase passwort kennwort secret secrets apikey apitoken accesskey secretkey \
    clientsecret authtoken accesstoken refreshtoken privatekey sharedkey accountkey signingkey encryptionkey secretaccesskey \
    contrasena senha motdepasse mdp пароль haslo wachtwoord losenord parola bearer authorization xapikey apisecret passw pswd \
    dbpassword userpassword sessiontoken idtoken bottoken webhooksecret consumersecret appsecret masterkey pgpassword credential \
    credentials sharedaccesskey passcode heslo sifre salasana adgangskode passord jelszo κωδικος lozinka geslo";
const SECRET_PHRASES: [(&str, &str); 22] = [
    ("api", "key"),
    ("api", "token"),
    ("access", "key"),
    ("secret", "key"),
    ("client", "secret"),
    ("auth", "token"),
    ("access", "token"),
    ("refresh", "token"),
    ("private", "key"),
    ("account", "key"),
    ("signing", "key"),
    ("encryption", "key"),
    ("session", "token"),
    ("id", "token"),
    ("bot", "token"),
    ("bearer", "token"),
    ("de", "passe"),
    ("app", "key"),
    ("master", "key"),
    ("shared", "key"),
    ("access", "keyid"),
    ("webhook", "token"),
];
const SECRET_ENDINGS: [&str; 5] = ["密码", "密碼", "口令", "パスワード", "비밀번호"];

/// Words that end the search: their last part in camel case looks like a label.
const NOTHING: &str = "iphone microphone";

pub(super) const FILLERS: &str = "number numbers nummer nummern no nr num n is are my me us at on our the home work office private privat main \
    primary secondary business emergency personal direct day evening night kom value text de del la le the und and or oder et y e u \
    ist est es lautet unter auf номер numero numeros numer nro numara numarasi cislo broj szam nom kontakt contact customer user \
    owner new old alt alternate alternative other second first raw full local international intl e164 line geschaftlich fest der die \
    address addresse adresse data id key hat has voice td th tr dt dd li span strong 번호 번호는 नंबर नम्बर nomor numeru \
    nummeret numret رقم номера";

/// Two words that say more together than each.
pub(super) const PHRASES: [(&[(&str, &str)], Label); 7] = [
    (&SSN_PHRASES, Label::Ssn),
    (&PHONE_PHRASES, Label::Phone),
    (&NATIONAL_PHRASES, Label::NationalId),
    (&TAX_PHRASES, Label::TaxId),
    (&SECRET_PHRASES, Label::Secret),
    (&ORDER_PHRASES, Label::Order),
    (&VERSION_PHRASES, Label::Version),
];

/// Ordered: the first list that has a word decides.
pub(super) const LISTS: [(&str, Label); 15] = [
    (NOTHING, Label::Nothing),
    (SSN, Label::Ssn),
    (MAC, Label::Mac),
    (PHONE, Label::Phone),
    (SECRET, Label::Secret),
    (NATIONAL, Label::NationalId),
    (TAX, Label::TaxId),
    (IBAN, Label::Iban),
    (CARD, Label::Card),
    (VERSION, Label::Version),
    (PRODUCT, Label::Product),
    (SECTION, Label::Section),
    (ORDER, Label::Order),
    (MAY_BE_SECTION, Label::MayBeSection),
    (MAY_BE_ID, Label::MayBeId),
];

pub(super) const ENDINGS: [(&[&str], Label); 6] = [
    (&PHONE_ENDINGS, Label::Phone),
    (&NATIONAL_ENDINGS, Label::NationalId),
    (&CARD_ENDINGS, Label::Card),
    (&ORDER_ENDINGS, Label::Order),
    (&SECRET_ENDINGS, Label::Secret),
    (&SECTION_ENDINGS, Label::Section),
];

/// What may follow a label in a script without spaces.
pub(super) const ENDING_FILLERS: [&str; 9] = ["号码", "號碼", "番号", "番號", "号", "號", "是", "は", "为"];
