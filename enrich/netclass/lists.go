package netclass

// reservedRanges is the address space that nobody on the Internet holds, with
// the document that says so (IANA special-purpose address registries).
const reservedRanges = `
0.0.0.0/8 RFC1122
10.0.0.0/8 RFC1918
100.64.0.0/10 RFC6598
127.0.0.0/8 RFC1122
169.254.0.0/16 RFC3927
172.16.0.0/12 RFC1918
192.0.0.0/24 RFC6890
192.0.2.0/24 RFC5737
192.88.99.0/24 RFC7526
192.168.0.0/16 RFC1918
198.18.0.0/15 RFC2544
198.51.100.0/24 RFC5737
203.0.113.0/24 RFC5737
224.0.0.0/4 RFC5771
240.0.0.0/4 RFC1112
::/8 RFC4291
100::/64 RFC6666
2001:db8::/32 RFC3849
2002::/16 RFC3056
3fff::/20 RFC9637
fc00::/7 RFC4193
fe80::/10 RFC4291
ff00::/8 RFC4291
`

// m365Date is the state of m365Ranges.
const m365Date = "2026-08"

// m365Ranges are the addresses behind which Microsoft runs Microsoft 365 itself,
// as its endpoint web service publishes them (worldwide instance). They are not
// the ranges of Azure, where anybody rents machines.
const m365Ranges = `
13.107.6.152/31 13.107.6.171/32 13.107.6.192/32 13.107.9.192/32 13.107.18.10/31
13.107.18.15/32 13.107.128.0/22 13.107.136.0/22 13.107.140.6/32 20.20.32.0/19
20.190.128.0/18 20.231.128.0/19 23.103.160.0/20 40.92.0.0/15 40.96.0.0/13
40.104.0.0/15 40.107.0.0/16 40.108.128.0/17 40.126.0.0/18 52.96.0.0/12
52.112.0.0/14 52.122.0.0/15 52.238.78.88/32 52.244.37.168/32 104.47.0.0/17
104.146.128.0/17 131.253.33.215/32 132.245.0.0/16 150.171.32.0/22
150.171.40.0/22 204.79.197.215/32
2603:1006::/40 2603:1006:1400::/40 2603:1006:2000::/48 2603:1007:200::/48
2603:1016::/36 2603:1016:1400::/48 2603:1016:2400::/40 2603:1017::/48
2603:1026::/36 2603:1026:2400::/40 2603:1026:3000::/48 2603:1027::/47
2603:1036::/36 2603:1036:2400::/40 2603:1036:3000::/48 2603:1037::/47
2603:1046::/36 2603:1046:1400::/40 2603:1046:2000::/48 2603:1047::/47
2603:1056::/36 2603:1056:1400::/40 2603:1056:2000::/48 2603:1057::/48
2603:1057:2::/48 2603:1061:1300::/40 2603:1063::/38 2603:1063:2000::/38
2603:1063:6000::/35 2620:1ec:4::152/127 2620:1ec:4::192/128 2620:1ec:6::/48
2620:1ec:8f0::/46 2620:1ec:8f8::/46 2620:1ec:8fc::6/128 2620:1ec:900::/46
2620:1ec:908::/46 2620:1ec:a92::152/127 2620:1ec:a92::171/128
2620:1ec:a92::192/128 2620:1ec:c::10/127 2620:1ec:c::15/128 2620:1ec:d::10/127
2620:1ec:40::/42 2a01:111:f100:2000::a83e:3019/128
2a01:111:f100:2002::8975:2d79/128 2a01:111:f100:2002::8975:2da8/128
2a01:111:f100:7000::6fdd:6cd5/128 2a01:111:f100:a004::bfeb:88cf/128
2a01:111:f400::/48 2a01:111:f402::/47
`

// freemailDomains give a mailbox to anybody.
const freemailDomains = `
aol.com att.net bk.ru bluewin.ch bol.com.br btinternet.com comcast.net cox.net
daum.net email.com fastmail.com fastmail.fm free.fr freenet.de gmail.com
gmx.at gmx.ch gmx.com gmx.de gmx.net googlemail.com hey.com hotmail.co.uk
hotmail.com hotmail.de hotmail.es hotmail.fr hotmail.it hushmail.com icloud.com
inbox.lv inbox.ru interia.pl laposte.net libero.it list.ru live.co.uk live.com
live.fr live.nl mac.com mail.com mail.ru mailbox.org me.com msn.com naver.com
o2.pl online.no onet.pl orange.fr outlook.com outlook.de outlook.es outlook.fr
pm.me posteo.de proton.me protonmail.ch protonmail.com qq.com rambler.ru
rediffmail.com rocketmail.com sapo.pt sbcglobal.net seznam.cz sfr.fr sina.com
sky.com sohu.com t-online.de tiscali.it tuta.io tutanota.com ukr.net uol.com.br
verizon.net virgilio.it virginmedia.com wanadoo.fr web.de wp.pl yahoo.ca
yahoo.co.id yahoo.co.in yahoo.co.jp yahoo.co.uk yahoo.com yahoo.com.ar
yahoo.com.au yahoo.com.br yahoo.com.mx yahoo.de yahoo.es yahoo.fr yahoo.in
yahoo.it yandex.com yandex.ru ymail.com zoho.com 126.com 163.com
`

// mailProviderDomains carry the mail of many customers.
const mailProviderDomains = `
1and1.com amazonses.com barracudanetworks.com constantcontact.com ctmail.com
elasticemail.com emailsrvr.com exclaimer.net fireeyecloud.com hostedemail.com
hornetsecurity.com ionos.com iphmx.com jellyfish.systems kundenserver.de
mailchannels.net mailchimpapp.net mailgun.net mailgun.org mailjet.com
mailspamprotection.com mandrillapp.com mcsv.net messagelabs.com mimecast.com
mtasv.net mxlogic.net mx.ovh.net oxsus-vadesecure.net postmarkapp.com
pphosted.com ppe-hosted.com protection.outlook.com registrar-servers.com
rsgsv.net sendgrid.net sendinblue.com sendpulse.com secureserver.net
smtp.com smtp2go.com sparkpostmail.com stackmail.com titan.email
trendmicro.com websitewelcome.com zohomail.com
`

// serviceDomains belong to services that every tenant uses.
const serviceDomains = `
apple.com google.com live.net
microsoft.com microsoftonline.com msftauth.net office.com office.net
office365.com sharepointonline.com
`

// shortenerDomains redirect to anywhere.
const shortenerDomains = `
bit.ly buff.ly cutt.ly goo.gl is.gd lnkd.in ow.ly rb.gy rebrand.ly shorturl.at
t.co t.ly tiny.cc tinyurl.com
`

// publicDomains are the places that cases name without an actor behind them: where
// reports are published and cited, and where anybody leaves a file, a text or a
// callback. A path on one of them may be somebody's; the name is nobody's.
const publicDomains = `
anonfiles.com any.run anydesk.com apache.org arstechnica.com arxiv.org
atlassian.com bing.com bitbucket.org bitdefender.com bleepingcomputer.com
blogger.com broadcom.com catbox.moe checkip.amazonaws.com checkpoint.com
cisa.gov cisco.com cloudflare.com crowdstrike.com cve.org cyber.gc.ca
cyber.gov.au darkreading.com discord.com discord.gg discordapp.com docker.com
domaintools.com dropbox.com duckduckgo.com elastic.co eset.com europa.eu
evernote.com exploit-db.com f-secure.com facebook.com fbi.gov fedoraproject.org
file.io filebin.net fireeye.com forcepoint.com fortinet.com gist.github.com
github.com gitlab.com gofile.io googleblog.com hatching.io hybrid-analysis.com
icanhazip.com ifconfig.me instagram.com ip-api.com ipify.org ipinfo.io
joesandbox.com justice.gov kaspersky.com krebsonsecurity.com linkedin.com
lumen.com malwarebytes.com mandiant.com mcafee.com mediafire.com medium.com
mega.io mega.nz mitre.org mozilla.org ncsc.gov.uk nist.gov npmjs.com
nytimes.com onedrive.live.com openai.com oracle.com otx.alienvault.com
paloaltonetworks.com paste.ee pastebin.com pinterest.com proofpoint.com
pypi.org python.org quora.com rapid7.com raw.githubusercontent.com
recordedfuture.com reddit.com reuters.com securelist.com secureworks.com
securityweek.com sentinelone.com shodan.io signal.org sophos.com
sourceforge.net splunk.com stackoverflow.com symantec.com talosintelligence.com
teamviewer.com techcrunch.com telegra.ph telegram.me telegram.org temp.sh
theguardian.com thehackernews.com threatpost.com tiktok.com tmpfiles.org
torproject.org transfer.sh trello.com tria.ge twimg.com twitter.com ubuntu.com
unit42.org urlhaus.abuse.ch urlscan.io vimeo.com virusshare.com virustotal.com
vk.com vmware.com volexity.com washingtonpost.com webhook.site
welivesecurity.com wetransfer.com whatsapp.com wikimedia.org wikipedia.org
wired.com wordpress.org x.com xforce.ibmcloud.com yandex.net youtu.be
youtube.com zdnet.com zoom.us zscaler.com
`

// customerSuffixes say nothing by themselves; each name below is one customer's.
const customerSuffixes = `
000webhostapp.com amazonaws.com azureedge.net azurewebsites.net
blob.core.windows.net blogspot.com cloudapp.azure.com cloudfront.net
core.windows.net firebaseapp.com github.io glitch.me googleapis.com
googleusercontent.com herokuapp.com netlify.app ngrok-free.app ngrok.app
ngrok.io notion.site oast.fun oast.live oast.me oast.online oast.pro oast.site
onmicrosoft.com pages.dev pipedream.net r2.dev repl.co sharepoint.com
squarespace.com substack.com surge.sh trycloudflare.com tumblr.com vercel.app
web.app weebly.com windows.net wixsite.com wordpress.com workers.dev
zendesk.com
`

// emptyFileHashes are MD5, SHA-1, SHA-256 and SHA-512 of no bytes.
const emptyFileHashes = `
d41d8cd98f00b204e9800998ecf8427e
da39a3ee5e6b4b0d3255bfef95601890afd80709
e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e
`

// firstPartyApps are application ids of Microsoft's own clients and services,
// the same in every tenant (Microsoft Entra documentation).
const firstPartyApps = `
00000002-0000-0000-c000-000000000000 00000002-0000-0ff1-ce00-000000000000
00000003-0000-0000-c000-000000000000 00000003-0000-0ff1-ce00-000000000000
00000006-0000-0ff1-ce00-000000000000 04b07795-8ddb-461a-bbee-02f9e1bf7b46
1950a258-227b-4e31-a9cf-717495945fc2 19db86c3-b2b9-44cc-b339-36da233a3be2
1fec8e78-bce4-4aaf-ab1b-5451cc387264 27922004-5251-4030-b22d-91ecd9a37ea4
29d9ed98-a469-4536-ade2-f981bc1d605e 4765445b-32c6-49b0-83e6-1d93765276ca
5d661950-3475-41cd-a2c3-d671a3162bc1 89bee1f7-5e6e-4d8a-9f3d-ecd601259da7
9199bf20-a13f-4107-85dc-02114787ef48 a0c73c16-a7e3-4564-9a95-2bdf47383716
ab9b8c07-8f02-4f72-87fa-80105867a763 c44b4083-3bb0-49c1-b47d-974e53cbdf3c
d3590ed6-52b3-4102-aeff-aad2292ab01c fb78d390-0c51-40cd-8e17-fdbfab77341b
`
