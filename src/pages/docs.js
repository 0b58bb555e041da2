// The reader's own script is not a module: it has put itself into the page by the time that modules run.
window.SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#reference',
  deepLinking: true,
  docExpansion: 'list',
  filter: true,
  // The shapes stand with the operations that use them; the list of all of them is opened by who wants it.
  defaultModelsExpandDepth: 0,
  persistAuthorization: false,
  // No foreign host is asked what it thinks of the document.
  validatorUrl: null,
})
