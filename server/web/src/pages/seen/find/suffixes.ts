/**
 * What tells a name of the DNS from the name of a file, a property or a slip of the
 * keyboard. The public suffix list is the service's; the page has the endings that names
 * in mail and logs have, and asks the service about what it cannot tell.
 */

const countries =
  "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sj sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw";

const generic =
  "zip mov academy accountant accountants adult aero agency amsterdam app art asia associates attorney auction audio auto autos baby band bank bar bargains bayern beauty beer berlin best bet bid bike bingo bio biz black blog blue boats boston bot boutique build builders business buzz cab cafe cam camera camp capital car cards care careers cars casa cash casino cat center charity chat cheap christmas church city claims cleaning click clinic clothing cloud club coach codes coffee college com community company computer condos construction consulting contact contractors cool coop coupons courses credit creditcard cricket cruises cyou date dating day deals degree delivery democrat dental dentist design dev diamonds diet digital direct directory discount doctor dog domains download earth edu education email energy engineer engineering enterprises equipment estate events exchange expert exposed express fail faith family fan fans farm fashion finance financial fish fit fitness flights florist flowers football forsale forum foundation frl fun fund furniture futbol fyi gallery game games garden gay gift gifts giving glass global gmbh gold golf gov graphics gratis green gripe group guide guitars guru hair hamburg haus health healthcare help hiphop hockey holdings holiday homes horse hospital host hosting house icu immo immobilien inc industries info ink institute insurance insure int international investments jetzt jewelry jobs kaufen kim kitchen kiwi land law lawyer lease legal lgbt life lighting limited limo link live llc loan loans lol london lotto love ltd luxury maison makeup management market marketing markets mba media memorial men menu mil miami mobi moda moe mom money monster mortgage movie museum name navy net network news ngo ninja nyc observer one onl ong onion online org organic page paris partners parts party pet photo photography photos pics pictures pink pizza place plumbing plus poker porn press pro productions promo properties property pub quest racing realtor recipes red rehab reise reisen rent rentals repair report republican rest restaurant review reviews rich rip rocks rodeo run sale salon sarl sbs school schule science security services sex sexy shiksha shoes shop shopping show singles site ski skin soccer social software solar solutions space sport store stream studio study style supplies supply support surf surgery swiss systems tattoo tax taxi team tech technology tel tennis theater tickets tienda tips tires today tokyo tools top tours town toys trade trading training travel tube university uno vacations vegas ventures vet viajes video villas vin vip vision vodka vote voyage wales watch webcam website wedding wien wiki win wine work works world wtf xin xxx xyz yachts yoga zone arpa";

const known = new Set(`${countries} ${generic}`.split(" "));

/** Endings that are files far more often than names of two labels, though some are top-level domains. */
const files = new Set(
  "7z ace apk asp aspx bak bat bin bmp bz2 cab cfg chm class cmd conf config cpl cpp crt cs csv dat db dbx deb dll dmg doc docm docx dot dotm dylib eml exe gif go gz h hta htm html ico ics img inf ini iso jar java jpeg jpg js json jsp key lnk lock log lua md mov mp3 mp4 msc msg msi msp mui obj ocx odt ogg ost pcap pdf pem php pif png pps ppt pptm pptx ps1 psd pst py pyc rar rb reg rpm rtf scr sh sln so sql svg swf sys tar tgz tif tiff tmp toml ts tsv ttf txt vb vbe vbs vhd vhdx vmdk wav webp wmv woff woff2 wsf xla xlam xls xlsb xlsm xlsx xml xsl yaml yml zip".split(" "),
);

/** Of files' endings those that are also registered in numbers: names where they have three labels. */
const both = new Set("zip mov sh md py so cab".split(" "));

/** Whether a name's last label is one of the DNS that the page knows. */
export function knownSuffix(name: string): boolean {
  const last = lastLabel(name);
  return known.has(last) || last.startsWith("xn--");
}

/** Whether a name is rather that of a file: `invoice.zip`, `setup.exe`. */
export function fileLike(name: string): boolean {
  const last = lastLabel(name);
  return files.has(last) && (!both.has(last) || name.split(".").length < 3);
}

/**
 * Whether a name is one label below its suffix, as far as that can be told without the
 * list: the service says it for certain.
 */
export function looksRegistrable(name: string): boolean {
  const labels = name.split(".");
  if (labels.length <= 2) return true;
  const [, second = "", last = ""] = labels;
  return labels.length === 3 && last.length === 2 && /^(co|com|org|net|gov|gob|gouv|ac|edu|or|ne|go|mil|nom|id|me|ltd|plc|sch|asn)$/.test(second);
}

function lastLabel(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}
