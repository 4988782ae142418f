package lexicon

// concepts are generic words of security, finance and mail: the English word
// that stands for all, then its forms in English, French, German, Spanish,
// Portuguese, Dutch and Italian. A form that ends in * stands for all words that
// begin so.
const concepts = `
account: accounts compte comptes konto konten kontos cuenta cuentas conta contas rekening account rekeningen conto conti
admin: administrator administrateur administrador amministratore beheerder
alert: alerts alerte alertes alarm alarme warnmeldung alerta alertas waarschuwing* avviso avvisi allerta
approve: approved approval approuv* genehmig* freigabe aprobar aprobacion aprovar aprovacao goedkeur* approvare approvazione
attack: attacks attaque attaques angriff angriffe ataque ataques aanval* attacco attacchi
audit: audits auditing revision pruefung prufung auditoria auditing controle
authentication: authenticat* authentifi* authentifizier* anmeldung autenticac* autenticaz* verificatie
bank: banks banking banque banques bancaire bancaires banken bankdaten banco bancos banca banche bancario bancaria bancarias bankieren
beneficiary: beneficiaries beneficiaire empfanger beneficiario begunstigde
block: blocked blocking bloquer bloque blocage blockier* sperre* sperrung bloquear bloqueo bloqueio blokkeer* blokkeren blocca bloccare blocco
breach: breaches violation verletzung brecha violacao inbreuk violazione
bypass: bypassing contourn* umgeh* omitir ignorar contornar omzeil* aggira* ignora
code: codes kode codigo codice codici
compromise: compromised compromis compromission kompromitt* comprometid* comprometido gecompromitteerd compromess*
confirm: confirmation confirmed confirmer bestatig* confirmar confirmacion confirmacao bevestig* conferma confermare
contract: contracts contrat contrats vertrag vertrage contrato contratos contract contracten contratto contratti
credit: credits kredit gutschrift credito creditos avoir krediet crediti
delete: deleted deletion supprim* losch* geloscht eliminar eliminado excluir apagar verwijder* elimina eliminare cancella*
delivery: deliver livraison lieferung zustellung entrega bezorging levering consegna
deposit: deposits depot einzahlung deposito depositos storting depositi acompte
display: affichage anzeige anzeigename mostrar exibicao weergave* visualizza*
document: documents dokument dokumente documento documentos documenten documenti
encrypt: encrypted encryption chiffr* verschlussel* cifrad* criptograf* versleutel* crittograf* cifrat*
expire: expired expiration expires expir* ablauf abgelaufen caducar vencido vence verlopen verloopt scadenza scaduta scade
external: externe externes extern externer externo externa externos esterno esterna esterni
fax: faxes telefax
filter: filters filtering filtre filtres filtrage filtro filtros filtrar filtri filtra
finance: financial finances financier finanzen finanz* finanzas financiero financas financeiro financien financieel finanza finanziario
forward: forwarding forwarded transfert transferer weiterleit* reenviar reenvio encaminhar doorstur* inoltra inoltro inoltrare
fraud: fraude betrug betrugs* fraudes fraudulent fraudulento frode truffa oplichting
iban: ibans
identity: identite identitat identidad identidade identiteit identita
impersonation: impersonat* usurpation identitatsdiebstahl suplantac* personificac* imitatie imitazione
inbox: posteingang boite bandeja entrada postvak posta
incident: incidents vorfall incidente incidentes incidenti
invoice: invoices invoicing facture factures facturation rechnung* factura facturas facturacion fatura faturas factuur facturen fattura fatture fatturazione
junk: indesirable indesirables werbung deseado
link: links lien liens verknupfung enlace enlaces koppeling collegamento
login: logins logon signin connexion anmelden einloggen acceso inicio aanmeld* inloggen accesso
mail: email emails mails courriel courrier correo correos correio messaggio messaggi nachricht nachrichten bericht berichten mensaje mensajes mensagem mensagens
malware: virus viren virussen schadsoftware maliciel
manager: managers gestionnaire gerente gestor gestore
message: messages
mfa: 2fa multifactor
notice: notification notifications notify avis benachrichtig* hinweis notificac* aviso avisos melding* notifica notifiche
order: orders commande commandes bestellung* pedido pedidos bestelling* ordine ordini encomenda
otp: totp
overdue: impaye impayee uberfallig mahnung vencida atrasado achterstallig insoluto
passcode: passcodes
password: passwords passwort* kennwort* contrasena contrasenas senha senhas wachtwoord* mdp
payment: payments pay paid paiement paiements payer reglement zahlung* bezahlung bezahlt pago pagos pagar pagamento pagamentos betaling* betalen pagamenti pagare pagato
payroll: paie lohn* gehalt* nomina folha salarisadministratie
phish: phishing phished hameconnage
policy: policies politique richtlinie* politica politicas beleid criterio
price: prices prix preis preise precio precios preco precos prijs prijzen prezzo prezzi
protection: protect protected protege proteger schutz geschutzt proteccion protecao bescherm* protezione proteggi
purchase: purchases achat achats einkauf compra compras aankoop inkoop acquisto acquisti
quarantine: quarantined quarantaine quarantane cuarentena quarentena quarantena
quote: quotes quotation devis angebot angebote cotizacion presupuesto cotacao orcamento offerte preventivo preventivi
receipt: receipts recu recus quittung beleg recibo recibos ontvangstbewijs kwitantie ricevuta ricevute
redirect: redirected redirection rediriger umleit* redirigir redireccion* redirecionar omleid* reindirizz*
remittance: remittances avisos
report: reports rapport rapports meldebericht informe informes relatorio relatorios rapporten relazione segnalazione
reset: resets reinitialis* zurucksetz* restablec* redefin* reimposta* opnieuw
risk: risks risque risques risiko risiken riesgo riesgos risco riscos risico rischio rischi
rule: rules regle regles regel regeln regla reglas regra regras regels regola regole
salary: salaries salaire salaires salario salarios salaris stipendio stipendi
scam: scams arnaque arnaques estafa estafas golpe
scan: scanned scans gescannt escaneado digitalizado gescand scansione
security: secure secured securite sicherheit* seguridad seguranca beveilig* veiligheid sicurezza sicuro
sender: senders expediteur absender remitente remetente afzender mittente
sepa: sepa
shared: share sharing partage partages partager geteilt teilen compartido compartir compartilhado gedeeld condiviso condivisa
signature: signatures unterschrift signatur firma firmas assinatura handtekening
spam: spams spamming pourriel
spoof: spoofing spoofed falsification spoofs
statement: statements releve kontoauszug* extracto extracto extrato afschrift afschriften
supplier: suppliers fournisseur fournisseurs lieferant* proveedor proveedores fornecedor fornecedores leverancier* fornitore fornitori
suspicious: suspect suspecte verdachtig* sospechos* suspeito verdacht sospetto sospetta
swift: bic
tax: taxes impot impots steuer steuern impuesto impuestos imposto impostos belasting* tassa tasse imposta
threat: threats menace menaces bedrohung* amenaza amenazas ameaca ameacas dreiging* minaccia minacce
transaction: transactions transaktion* transaccion* transacao transacoes transactie* transazion*
transfer: transfers virement virements uberweisung* transferencia transferencias overschrijving* overboeking* bonifico bonifici trasferimento
trusted: trust confiance vertrauen* confianza confianca vertrouwd* attendibil*
urgent: urgente urgentes dringend dringende urgenti spoed
user: users utilisateur benutzer usuario usuarios gebruiker* utente utenti
vat: tva mwst umsatzsteuer btw
vendor: vendors verkaufer vendedor verkoper venditore
verify: verification verified verifier uberpruf* verificar verificac* verifieer verifica verificare
warn: warning warnings avertissement warnung* advertencia waarschuw avvertimento avvertenza
wire: wires
`

// subjectTags are the kinds of mail that matter after a break-in, each with the
// words and phrases by which a subject shows it.
const subjectTags = `
passcode: passcode, otp, mfa, one time code, verification code, security code, code de verification, sicherheitscode, codigo de verificacion, codigo de verificacao, verificatiecode, codice di verifica
password_reset: password, password reset, mot de passe, passwort, contrasena, senha, wachtwoord
invoice: invoice, overdue, receipt, quote
payment: payment, transfer, remittance, wire, beneficiary, deposit
bank: bank, iban, swift, sepa, statement
payroll: payroll, salary
quarantine: quarantine
security_notice: security, alert, suspicious, phish, spoof, fraud, compromise, unusual sign in, new sign in, neue anmeldung, nouvelle connexion
sign_in: login, authentication
delivery_failure: undeliverable, delivery has failed, unzustellbar, non remis, no se puede entregar, onbestelbaar, mancato recapito
`

// genericWords make no name of a tenant: roles, parts of addresses and words of
// every trade. The lexicon's own words come on top.
const genericWords = `
abuse accounting accounts admin administracion administration administrator all api app apps archive assistant
backup billing board booking bounce buchhaltung business calendar careers ceo cfo chat client cloud comercial
commercial common company compliance comptabilite compta contabilidad contabilidade contact contacto contatti
copy corp corporate cto customer data default demo department desk dev direction director distribution dns
domain enquiries events everyone exchange external facilities feedback finance forms from gmbh group guest hello
help helpdesk helper hosting hr human inc info information inquiries intern internal international intranet it
job jobs kontakt legal list local mailbox mailer main management manager marketing master media meeting member
microsoft mobile model name network new news newsletter noreply none notifications office office365 online only
onmicrosoft operations operator outlook owner partner people personal personnel phone portal post postmaster
press print printer privacy private procurement production project projects public purchasing quality reception
recruiting relay remote reply resource resources room root sales scanner school secretariat secretary self send
server service services sharepoint shop site smtp sso staff store subscription support sync sysadmin system
systems team teams tech technical technology temp test tester testing tickets tools training update usage users
vertrieb vpn warehouse web webmaster website welcome work workflow www
and the for with der die das und mit les des una del con per van het een para por com net org edu gov
copie copia kopie move moved rss archiv archivo arquivo archivio archief conversation history feed feeds folder
high low medium pattern patterns item items part day week month date time number
`
